"""The native heap engine of this process, typed: csrc/heap.h says what each call does.

The library is preloaded (``LD_PRELOAD``), and tracks the process if :data:`VARIABLE` is set. It
sees Python's objects only with ``PYTHONMALLOC=malloc``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import CodeType
from typing import Any, NamedTuple

from pytest_valgrind import client
from pytest_valgrind._client import ffi, lib
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.heap.numbers_of_engine import Account, Counters, MappingCounters, Usage

#: Of the environment: words for the engine, ``guards=off``, ``guards=on`` or ``guards=full``
#: (csrc/heap_options.h). Where it is not set the library does nothing.
VARIABLE = "PYTEST_HEAPCHECK"
#: Of the environment of what tests start: the directory for reports (csrc/heap_child.h).
CHILDREN = "PYTEST_HEAPCHECK_CHILDREN"
# The engine's number of the test at place 0.
_FIRST = 1
#: By the numbers that the engine has for them.
KINDS = {
    lib.PVH_OVERFLOW: Kind.OVERFLOW,
    lib.PVH_WRITE_AFTER_FREE: Kind.WRITE_AFTER_FREE,
    lib.PVH_DOUBLE_FREE: Kind.DOUBLE_FREE,
    lib.PVH_INVALID_FREE: Kind.NATIVE_INVALID_FREE,
}


class LostBlock(NamedTuple):
    """A block that a test made and nothing points to any more."""

    address: int
    size: int  #: bytes, as they were asked for
    caller: int  #: the address at which the function goes on that asked for it
    keeper: int  #: address of the lost block that leads to it, 0 if none does
    place: int  #: of the test
    in_thread: bool  #: whether a thread made it that was started while tests ran


class GuardEvent(NamedTuple):
    """A write or a free that should not have been."""

    kind: Kind
    maker: int | None  #: place of the test that made the block, None if none did
    seen_in: int | None  #: and of the one during which it was seen
    address: int  #: of the block, or what was to be freed if it is in none
    size: int  #: of the block, in bytes, as they were asked for
    offset: int  #: of the first byte that was written, or of what was to be freed
    length: int  #: bytes from the first to the last that was written
    written: bytes  #: the first of them
    made_by: int  #: the address at which the function goes on that made the block
    seen_by: int  #: and the one that freed it; 0 if it was seen by looking


class LiveBlock(NamedTuple):
    """A block that a test made and that is not freed."""

    caller: int  #: the address at which the function goes on that asked for it
    size: int  #: bytes, as they were asked for
    place: int  #: of the test
    in_thread: bool  #: whether a thread made it that was started while tests ran


class Mapping(NamedTuple):
    """A mapping that the program has made by mmap(2), in whole pages."""

    address: int
    length: int  #: bytes
    caller: int  #: the address at which the function goes on that made it
    is_file: bool  #: rather than anonymous memory


class Symbol(NamedTuple):
    """What the loader knows of an address."""

    function: str | None  #: the nearest before it that the object file exports
    object: str | None  #: path of the object file


class Engine:
    """The engine.

    :raises RuntimeError: if it is not preloaded, or does not track this process.
    """

    def __init__(self) -> None:
        self._engine = lib.pvg_heap()
        if self._engine == ffi.NULL:
            raise RuntimeError(
                "The heap engine is not there: the process must start with it in LD_PRELOAD and "
                f"with {VARIABLE} in its environment."
            )
        self._events = ffi.new("pvh_event[16]")
        # Looked up once: each look-up fills free lists with objects that are of no test.
        self._set_test: Callable[[int], None] = self._engine.set_test
        # From 3.11 on the instructions stand at the end of code, and change while it runs. What
        # looks like an address among them is one by chance, or that of an object to which the
        # interpreter has no reference (inline caches, Include/internal/pycore_code.h).
        self._engine.limit_pointers(id(CodeType), CodeType.__basicsize__)

    def begin_test(self, place: int) -> None:
        """Have what the calling thread makes from now on belong to a test.

        And what is made by the threads that it starts meanwhile, for as long as they live.

        :param place: of the test, from 0; what has the same place belongs to the same test.
        """
        self._set_test(place + _FIRST)

    def end_test(self) -> None:
        """Have what the calling thread makes from now on belong to no test."""
        self._set_test(0)

    @property
    def place(self) -> int | None:
        """The place of the test for which the calling thread works."""
        return _place(self._engine.test())

    def mapping_counters(self) -> MappingCounters:
        """Return what is mapped, but by the C library and the loader themselves."""
        found = self._engine.mapping_counters()
        return MappingCounters(*(getattr(found, name) for name in MappingCounters._fields))

    def reset_mapping_peak(self) -> None:
        """Take what is mapped now for the most so far."""
        self._engine.reset_mapping_peak()

    def mappings_of(self, place: int) -> list[Mapping]:
        """Return the mappings that a test has made and that are still there."""
        count = self._engine.mapping_counters().mappings
        listed = ffi.new(f"pvh_mapping[{count + 1}]")
        count = self._engine.mappings_of(place + _FIRST, listed, count)
        return [
            Mapping(each.address, each.length, each.caller, bool(each.is_file))
            for each in (listed[number] for number in range(count))
        ]

    def threads_of(self, place: int) -> int:
        """Return how many threads still run that were started for a test."""
        return int(self._engine.threads_of(place + _FIRST))

    def look_at_guards(self, place: int) -> None:
        """Look for writes past the ends of a test's blocks, and to blocks freed lately.

        The former only if no thread runs that a test has started; a check looks at all blocks.
        """
        self._engine.look_at_guards(place + _FIRST)

    def take_events(self, which: int | None = None) -> list[GuardEvent]:
        """Return what the guards have seen since the last call.

        :param which: the place of a check, for what was seen in its clone. The process may see the
            same once more.
        """
        place = lib.PVH_NO_CHECK if which is None else which
        events = []
        while count := self._engine.take_events(place, self._events, len(self._events)):
            events += [_event(self._events[number]) for number in range(count)]
        return events

    def missed_events(self) -> int:
        """Return for how many events there was no room."""
        return int(self._engine.missed_events())

    def counters(self) -> Counters:
        """Return what is allocated."""
        found = self._engine.counters()
        return Counters(found.bytes, found.blocks, found.peak_bytes, found.allocations)

    def reset_peak(self) -> None:
        """Take what is allocated now for the most so far."""
        self._engine.reset_peak()

    def thread_bytes(self) -> int:
        """Return the bytes that the calling thread has allocated, less those it has freed."""
        return int(self._engine.thread_bytes())

    def usage(self) -> Usage:
        """Return what is in use; it costs next to nothing."""
        found = self._engine.usage()
        return Usage(found.bytes, found.peak_bytes, found.thread_bytes, found.thread_peak_bytes)

    def reset_peaks(self) -> None:
        """Take what is in use now for the most so far: of the process, and of this thread."""
        self._engine.reset_peaks()

    def live_of(self, first: int, last: int) -> list[LiveBlock]:
        """Return the live blocks of tests.

        No other thread may run, as it may free what is looked at.

        :param first: the place of the first of these tests, and ``last`` of the last.
        """
        running = self._engine.test()
        self._engine.set_test(0)  # else there would be more of them when they are listed
        try:
            most = self._engine.live_of(first + _FIRST, last + _FIRST, ffi.NULL, 0)
            listed = ffi.new(f"pvh_live[{most + 1}]")
            count = self._engine.live_of(first + _FIRST, last + _FIRST, listed, most)
            return [
                LiveBlock(each.caller, each.size, each.test - _FIRST, bool(each.in_thread))
                for each in (listed[number] for number in range(min(count, most)))
            ]
        finally:
            self._engine.set_test(running)

    def start_check(  # noqa: PLR0913 (what a clone does)
        self,
        which: int,
        *,
        untracks: bool,
        forgets: bool = False,
        prepare: Callable[[], object] | None = None,
        explain: Callable[[], object] | None = None,
        since: int | None = None,
    ) -> int:
        """Start a clone that looks for lost blocks, and return its process id.

        Only ``waitpid`` with ``__WCLONE`` sees it.

        :param which: its place; there are three, from 0.
        :param untracks: whether to take every object out of the garbage collector's lists first.
        :param forgets: whether it overwrites stale pointers in them, if it takes out none; with
            ``untracks`` it always does.
        :param prepare: is called in the clone before that.
        :param explain: is called in the clone after the check, and may use :meth:`lost` and
            :meth:`say`; it has 20 seconds of processor time.
        :param since: the place of a test: what was made before it is taken as reached, and if it is
            frozen (``gc.freeze``), stays in the lists. That is several times as fast, and misses
            what only the memory of earlier objects points to by chance, or lost ones.
        :raises OSError: if there cannot be another process.
        """
        self._engine.look_since(0 if since is None else since + _FIRST)
        which_objects: int = untracks
        if forgets and not untracks:
            which_objects = lib.PVG_UNTRACKS_NOTHING_AND_FORGETS
        elif untracks and since is not None:
            which_objects = lib.PVG_UNTRACKS_WHAT_IS_NOT_FROZEN
        return client.clone(which, False, which_objects, prepare, explain, b"", 0)

    def follow_forks(self, directory: str | None) -> None:
        """Have forks of this process report what is found in them; None ends that.

        :param directory: for a file of each, which is named like it.
        """
        self._engine.follow_forks(ffi.NULL if directory is None else os.fsencode(directory))

    def begin_fork(self) -> None:
        """Begin, in a fork, with what it has to report: what it does itself."""
        self._engine.begin_fork()

    def report_check(self, which: int) -> None:
        """Report, in a child of the process that runs tests, what a check has found."""
        self._engine.report_check(which)

    def is_done(self, which: int) -> bool:
        """Whether the check of a clone has come to an end."""
        return bool(self._engine.is_done(which))

    def account(self, which: int) -> Account:
        """Return what a check that is done looked at."""
        found = self._engine.account(which)
        return Account(*(getattr(found, name) for name in Account._fields))

    def lost(self, which: int) -> list[LostBlock]:
        """Return what a check that is done has found, by address."""
        return [
            LostBlock(
                lost.address,
                lost.size,
                lost.caller,
                lost.keeper,
                lost.test - _FIRST,
                bool(lost.in_thread),
            )
            for lost in self._listed(which)
        ]

    def say(self, text: bytes) -> bool:
        """Add, in a clone, to the text for the process; return whether there was room."""
        return bool(self._engine.say(text, len(text)) == 0)

    def text(self, which: int) -> bytes:
        """Return what a clone has said."""
        first = ffi.new("char const **")
        length = self._engine.text(which, first)
        return bytes(ffi.buffer(first[0], length))

    def acknowledge(self, which: int) -> None:
        """Have no later check list what this one has found."""
        for lost in self._listed(which):
            self._engine.acknowledge(ffi.addressof(lost))

    def _listed(self, which: int) -> list[Any]:
        first = ffi.new("pvh_lost const **")
        count = self._engine.lost(which, first)
        return [first[0][place] for place in range(count)]


def _place(number: int) -> int | None:
    return number - _FIRST if number else None


def _event(event: Any) -> GuardEvent:
    return GuardEvent(
        kind=KINDS[event.kind],
        maker=_place(event.maker),
        seen_in=_place(event.seen_in),
        address=event.address,
        size=event.size,
        offset=event.offset,
        length=event.length,
        written=bytes(ffi.buffer(event.written))[: event.length],
        made_by=event.made_by,
        seen_by=event.seen_by,
    )


def untracked() -> dict[str, str]:
    """Return the environment of a program that is no child of a test, be the engine preloaded."""
    names = os.environ.keys() - {VARIABLE, CHILDREN}
    return {name: os.environ[name] for name in names}


def symbol_at(address: int) -> Symbol:
    """Return which function of which object file an address belongs to."""
    found = lib.pvg_symbol_at(address)
    return Symbol(_text(found.function), _text(found.object))


def _text(characters: Any) -> str | None:
    if characters == ffi.NULL:
        return None
    return bytes(ffi.string(characters)).decode("utf-8", "backslashreplace")
