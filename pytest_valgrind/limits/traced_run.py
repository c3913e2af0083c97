"""The call of a test once more, in a fork and line by line: where it allocates what."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from pytest_valgrind.heap.allocation_lines import AllocationLines, Numbering
from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.limits.live_memory import NOTHING, Sizes, live_sizes
from pytest_valgrind.limits.stacks import Allocations, Stack, StackFrame, described, merged
from pytest_valgrind.limits.waiting_fork import WaitingFork

#: From here on no test of a session has a place.
FIRST_FREE = 1 << 31
#: How much of what the test has used must be seen in the fork for it to be the same: a trace sees
#: only what is in use between two lines.
_NEARLY = 0.9
#: Of a line that repeats, only each such time is looked at: loops have millions.
_STRIDE = 64
#: Places that are told: the largest.
_MOST = 1000

#: Returns the sizes at the time that matters, having run the test with the lines numbered.
Measure = Callable[["Trace"], Sizes]


class TracedRun:
    """A fork of this process, which waits until somebody wants to know.

    :param item: the test.
    :param measure: what the fork has to find out.
    :raises OSError: if there cannot be another process.
    """

    def __init__(self, engine: Engine, item: pytest.Item, measure: Measure) -> None:
        self._fork = WaitingFork(item, partial(_run, Trace(engine, item, FIRST_FREE), measure))

    def drop(self) -> None:
        """End it: nobody wants to know."""
        self._fork.drop()

    def allocations(self, like: Sizes = NOTHING) -> list[Allocations]:
        """Let it run, and return what it has seen; nothing if it dies or takes too long.

        :param like: by the function that asked, what it must have seen for it to be the same:
            nothing is returned where it took another way.
        """
        seen = self._fork.answer() or []
        sizes: Counter[int] = Counter()
        for size, caller, _ in seen:
            sizes[caller] += size
        if any(sizes[caller] < size * _NEARLY for (_, caller), size in like.items()):
            return []
        return merged(
            Allocations(size, Stack(tuple(StackFrame(*frame) for frame in frames)))
            for size, _, frames in seen
        )


class Trace:
    """A test whose lines have numbers, in a fork."""

    def __init__(self, engine: Engine, item: pytest.Item, first: int) -> None:
        self.engine = engine
        self._item = item
        self._first = first
        self._lines: AllocationLines

    def run(self, numbering: Numbering | None = None) -> None:
        """Run the call of the test, whatever it raises.

        :param numbering: is told the number of each line; the engine, if it is None.
        """
        self._lines = AllocationLines(numbering or self.engine, self._first)
        self._lines.start()
        try:
            with contextlib.suppress(BaseException):
                self._item.runtest()
        finally:
            self._lines.stop()

    def sizes(self, *, of_one_thread: bool) -> Sizes:
        """Return what its lines have allocated and not freed by now."""
        last = self._first + self._lines.count - 1
        return live_sizes(self.engine, self._first, last, of_one_thread=of_one_thread)

    def allocations(self, sizes: Sizes) -> list[tuple[int, int, list[tuple[str, str, int]]]]:
        """Return sizes, who asked, and the frames of their stacks, the most recent call first."""
        frames = CFrames()
        most = sizes.most_common(_MOST)
        of_c = [frames.at(caller) for (_, caller), _ in most]
        found = []
        for ((place, caller), size), frame in zip(most, described(of_c), strict=True):
            lines = self._lines.stack(place)
            of_python = [(line.function, line.file, line.line) for line in lines]
            found.append((size, caller, [*frame, *of_python]))
        return found


def left_allocated(trace: Trace, *, of_one_thread: bool) -> Sizes:
    """Measure what the test has not freed at its end, but for garbage."""
    trace.run()
    gc.collect()
    return trace.sizes(of_one_thread=of_one_thread)


def at_the_peak(trace: Trace, growth: int, *, of_one_thread: bool) -> Sizes:
    """Measure what is in use when it is first nearly as much as at most.

    :param growth: bytes that the test used at most.
    """
    gc.collect()  # of the first run: it would be taken for what is in use before
    watch = _PeakWatch(trace, growth * _NEARLY, of_one_thread=of_one_thread)
    trace.run(watch)
    return watch.sizes or watch.peak


class _PeakWatch:
    """Stands between the lines of a test and the engine, and looks what is in use."""

    def __init__(self, trace: Trace, enough: float, *, of_one_thread: bool) -> None:
        self._trace = trace
        self._engine = trace.engine
        self._start = self._engine.usage().bytes
        self._enough = enough
        self._of_one_thread = of_one_thread
        self._place = 0
        self._repeats = 0
        #: By the time that enough was in use between two lines, empty if it never was.
        self.sizes: Sizes = Counter()
        #: The line during which most was in use.
        self.peak: Sizes = Counter()

    def begin_test(self, place: int) -> None:
        """Note what is in use before a line."""
        if place == self._place:
            self._repeats += 1
            if self._repeats % _STRIDE:
                return  # it has this number already
        self._engine.end_test()  # what is made here is of no line
        if not self.sizes:
            usage = self._engine.usage()
            if usage.bytes - self._start >= self._enough:
                self.sizes = self._trace.sizes(of_one_thread=self._of_one_thread)
            peak = usage.peak_bytes - self._start
            if peak > self.peak.total():
                self.peak = Counter({(self._place, 0): peak})
        self._place = place
        self._engine.begin_test(place)

    def end_test(self) -> None:
        """End the last line."""
        self._engine.end_test()


def _run(trace: Trace, measure: Measure) -> list[tuple[int, int, list[tuple[str, str, int]]]]:
    return trace.allocations(measure(trace))
