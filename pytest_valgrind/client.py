"""Valgrind's client requests, typed: the only importer of the compiled module.

Natively every request is a no-op that returns 0 (valgrind's manual, 3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pytest_valgrind._client import ffi, lib

Result = TypeVar("Result")

#: Whether this process runs under any tool of valgrind's: ``() -> int``.
running_on_valgrind = lib.pvg_running_on_valgrind
#: Whether that tool is memcheck: ``() -> int``.
running_on_memcheck = lib.pvg_running_on_memcheck
#: Errors so far, repeated ones included, suppressed ones and leaks not: ``() -> int``.
#: The compiled function itself: it runs several times for every test.
count_errors = lib.pvg_count_errors
#: Scans the heap; the loss records that grew since the last check go to the log: ``() -> None``.
leak_check = lib.pvg_leak_check
#: Whether every Python object has a heap block of its own, as PYTHONMALLOC=malloc makes it.
one_block_per_object = lib.pvg_one_block_per_object


class Leaks(NamedTuple):
    """What the last leak check counted, in bytes."""

    leaked: int  #: definitely and indirectly lost
    dubious: int  #: possibly lost
    reachable: int
    suppressed: int


def count_leaks() -> Leaks:
    """Return the bytes that the last leak check found (memcheck's manual, 4.7)."""
    leaks = lib.pvg_count_leaks()
    return Leaks(leaks.leaked, leaks.dubious, leaks.reachable, leaks.suppressed)


def print_to_log(text: str) -> None:
    """Write lines to valgrind's log, where each starts with ``**pid**``."""
    lib.pvg_print(_encoded(text))


def change_option(option: str) -> None:
    """Set an option of those that ``valgrind --help-dyn-options`` lists."""
    lib.pvg_change_option(_encoded(option))


def monitor_command(command: str) -> None:
    """Run a command of valgrind's gdbserver; its answer goes to the log."""
    lib.pvg_monitor_command(_encoded(command))


def inside_test(work: Callable[[], Result]) -> Result:
    """Call so that blocks allocated meanwhile carry the frame ``pvg_inside_test``."""
    return _called_through(lib.pvg_inside_test, work)


def outside_tests(work: Callable[[], Result]) -> Result:
    """Call so that blocks allocated meanwhile carry the frame ``pvg_outside_tests``."""
    return _called_through(lib.pvg_outside_tests, work)


def create_leak() -> int:
    """Lose 8 bytes, to try the checker out."""
    return lib.create_leak()


def access_invalid() -> bool:
    """Decide upon an uninitialised value, to try the checker out."""
    return lib.access_invalid()


def _encoded(text: str) -> bytes:
    # A C string ends at its first null byte, and a test's name may hold a lone surrogate.
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace")


def _called_through(frame: Callable[[object], None], work: Callable[[], Result]) -> Result:
    # No exception may cross the C frame, so it is carried around it.
    results: list[Result] = []
    raised: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as exception:
            raised.append(exception)

    frame(ffi.cast("void *", id(call)))
    if raised:
        raise raised.pop()
    return results.pop()
