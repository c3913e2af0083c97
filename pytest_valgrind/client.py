"""Valgrind's client requests, typed: with heap/engine.py the only importer of the compiled module.

Natively every request is a no-op that returns 0 (valgrind's manual, 3.1).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_valgrind._client import ffi, lib

# As C's int has it (waitpid(2)): wait for a child that sends no SIGCHLD.
_WCLONE = -0x80000000

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    Result = TypeVar("Result")
    Arguments = TypeVarTuple("Arguments")

#: Whether this process runs under valgrind, whichever of its tools: ``() -> int``.
running_on_valgrind = lib.pvg_running_on_valgrind
#: Whether that tool is memcheck: ``() -> int``.
running_on_memcheck = lib.pvg_running_on_memcheck
#: Errors so far, repeated ones included, suppressed ones and leaks not: ``() -> int``.
#: The compiled function itself: it runs several times for every test.
count_errors = lib.pvg_count_errors
#: Scans the heap; the loss records that grew since the last check go to the log: ``() -> None``.
leak_check = lib.pvg_leak_check
#: Whether what is in use is counted under memcheck, which a preloaded object does
#: (csrc/counting_*.c): ``() -> int``.
is_counted = lib.pvg_is_counted
#: Takes what is in use now for the most so far: ``() -> None``.
reset_counted_peaks = lib.pvg_reset_counted_peaks
#: Prints the stack to the log, with so many C calls more on top of it: ``(int) -> None``.
print_stack = lib.pvg_print_stack
#: Threads that tests have started so far, and those of them that still run: ``() -> int``.
threads_started = lib.pvg_threads_started
threads_alive = lib.pvg_threads_alive
#: Tests that can be told apart by the frames below which they run.
NUMBERS: int = lib.pvg_numbers()
#: Has a clone that waits check for leaks: ``(which) -> None``.
wake_clone = lib.pvg_wake_clone
#: Whether a clone has checked for leaks, and the bytes that it found definitely or indirectly
#: lost: ``(which) -> int``.
clone_has_checked = lib.pvg_clone_has_checked
clone_leaked = lib.pvg_clone_leaked
#: Has C stacks say which Python function runs, or not any more: ``(path) -> int``, 0 if
#: the interpreter cannot, -1 if the file with their names cannot be written; ``() -> None``.
show_functions = lib.pvg_show_functions
hide_functions = lib.pvg_hide_functions
#: The C handler of a signal, for the timer: ``(signal) -> handler``.
handler_of = lib.pvg_handler_of
#: The timer of a test that runs for too long (csrc/timer.h), an errno if there cannot be one:
#: ``(signal, write_stacks, tell_interpreter, is_watched) -> int``, with two handlers, and whether a
#: parent reports the end of this process; ``() -> None``.
create_timer = lib.pvg_create_timer
delete_timer = lib.pvg_delete_timer
#: Sets it, to a time of ``time.monotonic``, with seconds of grace and the words for the log, or
#: stops it: ``(deadline, grace, words) -> None``; ``() -> None``.
set_timer = lib.pvg_set_timer
stop_timer = lib.pvg_stop_timer
#: Has handlers of fatal signals run where valgrind can see what was interrupted: ``() -> None``.
handle_signals_on_stack = lib.pvg_handle_signals_on_stack
#: Ends this process by SIGABRT: ``() -> None``.
end_hung_process = lib.pvg_end_hung_process
#: Whether what forks do is in a log, ``(all) -> None``; whatever that is, has the next one in it,
#: ``() -> None``; and ends that, ``() -> None``.
log_forks = lib.pvg_log_forks
log_next_fork = lib.pvg_log_next_fork
log_forks_as_before = lib.pvg_log_forks_as_before
#: Whether every Python object has a heap block of its own, as PYTHONMALLOC=malloc makes it.
one_block_per_object = lib.pvg_one_block_per_object


class MallocNumbers(NamedTuple):
    """What the C library's malloc has given out and has, in bytes; 0 where it cannot say."""

    allocated: int  #: in blocks that are not freed, with what malloc adds to each
    held: int  #: from the kernel


class Leaks(NamedTuple):
    """What the last leak check counted, in bytes."""

    leaked: int  #: definitely and indirectly lost
    dubious: int  #: possibly lost
    reachable: int
    suppressed: int


def prepare() -> bool:
    """Change what would hide lost objects from any check; as early as can be, once in a process.

    Python 3.12 counts the changes of all dicts, and the count in a dict may be the address of a
    lost object (``ma_version_tag``, PEP 509). The counter is moved to where no addresses are.

    :return: whether that was done, or need not be.
    """
    return bool(lib.pvg_move_dict_versions())


def wait_for_clone(pid: int, options: int = 0) -> float | None:
    """Wait for the end of a clone, and return the seconds of processor time that it took.

    Of the pages that both write to, the process has about as many to copy as the clone: so the
    time in the kernel counts twice.

    :param options: of waitpid(2), such as ``os.WNOHANG``.
    :return: None while it is at work, 0.0 if a test has waited for whatever there is (``__WALL``).
    """
    try:
        ended, _, usage = os.wait4(pid, options | _WCLONE)
    except ChildProcessError:
        return 0.0
    return usage.ru_utime + 2 * usage.ru_stime if ended else None


def count_leaks() -> Leaks:
    """Return the bytes that the last leak check found (memcheck's manual, 4.7)."""
    leaks = lib.pvg_count_leaks()
    return Leaks(leaks.leaked, leaks.dubious, leaks.reachable, leaks.suppressed)


def count_malloc() -> MallocNumbers:
    """Return what malloc has given out; it takes some 0.05 ms (csrc/malloc_numbers.h)."""
    found = lib.pvg_count_malloc()
    return MallocNumbers(found.allocated, found.held)


def print_to_log(text: str) -> None:
    """Write lines to valgrind's log, where each starts with ``**pid**``."""
    lib.pvg_print(_encoded(text))


def change_option(option: str) -> None:
    """Set an option of those that ``valgrind --help-dyn-options`` lists."""
    lib.pvg_change_option(_encoded(option))


def monitor_command(command: str) -> None:
    """Run a command of valgrind's gdbserver; its answer goes to the log."""
    lib.pvg_monitor_command(_encoded(command))


if TYPE_CHECKING:

    def inside_test(
        number: int,
        callable_: Callable[[Unpack[Arguments]], Result],
        *arguments: Unpack[Arguments],
    ) -> Result:
        """Call so that blocks allocated meanwhile carry the number, modulo ``NUMBERS``."""

    def outside_tests(
        callable_: Callable[[Unpack[Arguments]], Result], *arguments: Unpack[Arguments]
    ) -> Result:
        """Call so that blocks allocated meanwhile can be told from those of any test."""

    def clone(  # noqa: PLR0913, PLR0917 (a C function)
        which: int,
        waits: bool,
        untracks: int,
        prepare: Callable[[], object] | None,
        explain: Callable[[], object] | None,
        log: bytes,
        offset: int,
    ) -> int:
        """Start a clone of this process that checks for leaks, and return its process id.

        Its loss records go to the log, and it ends by SIGKILL; only ``waitpid`` with ``__WCLONE``
        sees it.

        :param which: its place; there are three, from 0.
        :param waits: until ``wake_clone``.
        :param untracks: whether it takes every object out of the garbage collector's lists first,
            so that one to which nothing else points is lost; or, with
            ``lib.PVG_UNTRACKS_WHAT_IS_NOT_FROZEN``, only these (``gc.freeze``).
        :param prepare: is called in the clone before that.
        :param explain: is called in the clone after the check, when valgrind has listed the blocks
            that were lost, and may print to the log; it has some seconds of processor time.
        :param log: the template of the clone's log, with ``%p`` and ``%%`` only.
        :param offset: where in the log it begins, in bytes.
        :raises OSError: if there cannot be another process.
        """

    def object_in(address: int, size: int) -> tuple[int, object] | None:
        """Return the references to the object in a block of memory and itself, None if none is.

        :param size: in bytes.
        """

    def sum_references(objects: list[object]) -> int:
        """Return how many references there are to objects, and items that they hold.

        Those of the list are not counted, nor those to what lives for ever (from 3.12 on). Items
        are those of lists, dicts and sets.
        """

    def sum_frozen_references(freeze: Callable[[], None]) -> int:
        """Freeze all objects, and return how many references to them and items there are.

        That takes a tenth of the time that a list of them takes.

        :param freeze: ``gc.freeze``.
        :return: -1 if this interpreter's collector keeps its objects in another way.
        """

    def sum_frozen_items(freeze: Callable[[], None]) -> int:
        """Freeze all objects, and return how many items there are: the same without references.

        :param freeze: ``gc.freeze``.
        :return: -1 if this interpreter's collector keeps its objects in another way.
        """

    def leave_out(objects: list[Any], freeze: Callable[[], None]) -> None:
        """Have :func:`sum_frozen_references` leave objects out, in place of those before.

        It counts them again once the collector has looked at everything (``gc.unfreeze``).
        """

else:
    _calls: dict[str, Callable[..., Any]] = {}
    lib.pvg_add_callables(ffi.cast("void *", id(_calls)))
    inside_test = _calls["inside_test"]
    outside_tests = _calls["outside_tests"]
    clone = _calls["clone"]
    object_in = _calls["object_in"]
    sum_references = _calls["sum_references"]
    sum_frozen_references = _calls["sum_frozen_references"]
    sum_frozen_items = _calls["sum_frozen_items"]
    leave_out = _calls["leave_out"]


class Counts(NamedTuple):
    """What is in use under memcheck, in bytes: blocks as asked for, and anonymous mappings."""

    bytes: int
    peak_bytes: int  #: since the peaks were reset
    thread_bytes: int  #: blocks that the calling thread has made, less those that it has freed
    thread_peak_bytes: int
    heap_bytes: int  #: of blocks alone
    blocks: int


def counts() -> Counts:
    """Return what is in use, all 0 if nobody counts."""
    found = lib.pvg_counts_now()
    return Counts(*(getattr(found, name) for name in Counts._fields))


def int_at(thing: object, place: int) -> int:
    """Return C's int that stands so many bytes from the start of an object."""
    number: int = ffi.cast("int *", id(thing) + place)[0]
    return number


def set_int_at(thing: object, place: int, value: int) -> None:
    """Write one there: into what is known to be one."""
    ffi.cast("int *", id(thing) + place)[0] = value


def pointer_at(thing: object, place: int) -> int:
    """Return the address that stands so many bytes from the start of an object."""
    address: int = ffi.cast("uintptr_t *", id(thing) + place)[0]
    return address


def forget_room_in_frame(frame: FrameType, variables: int, words: int, used: int) -> None:
    """Overwrite, in a clone, what lies behind the stack of a function that is executed (3.11 on).

    :param variables: places that it has for these.
    :param words: those, and the places of its stack.
    :param used: how many of these are in use, if the frame does not say it: while it calls C. If
        it is all of them, the stack keeps no block of a test for the native engine.
    """
    lib.pvg_forget_room_in_frame(ffi.cast("void *", id(frame)), variables, words, used)


def create_leak() -> int:
    """Lose 8 bytes, to try the checker out."""
    return lib.create_leak()


def access_invalid() -> bool:
    """Decide upon an uninitialised value, to try the checker out."""
    return lib.access_invalid()


def _encoded(text: str) -> bytes:
    # A C string ends at its first null byte, and a test's name may hold a lone surrogate.
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace")
