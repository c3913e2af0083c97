"""What it is that leaks, and where it is made: looked for only where something does."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.hunt import new_descriptors
from pytest_valgrind.hunt.allocating_functions import allocating_functions
from pytest_valgrind.hunt.allocation_sites import allocation_sites
from pytest_valgrind.hunt.census import Census, references_to_constants
from pytest_valgrind.hunt.counters import (
    BLOCKS,
    DESCRIPTORS,
    HEAP,
    MAPPED,
    REFERENCES,
    THREADS,
    Counters,
)
from pytest_valgrind.hunt.growing_lines import GrowingLines
from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.hunt.observer import Observer
from pytest_valgrind.user_code import place

#: Times that it shall leak while it is looked at, and the most runs for that.
_TIMES = 16
_MOST_RUNS = 128
#: What is named of the leaks of a test.
_MOST_NAMES = 5
#: Of threads, by name.
_MOST_THREADS = 2


def names(leaks: Leaks, observer: Observer, run: Callable[[], bool]) -> list[str]:
    """Return lines about what leaks.

    :param run: does it once more.
    """
    rates = [rate for number in range(THREADS + 1) if (rate := leaks.rate(number)) > 0]
    if not rates:
        return []
    # The highest rate is that of bytes, where one leaks.
    rate = min(1.0, *rates)
    search = _Search(leaks, observer, run, min(_MOST_RUNS, math.ceil(_TIMES / rate)))
    return list(search.found())[:_MOST_NAMES]


class _Search:
    """Runs it some more times, and sees what is there after that.

    :param runs: how often, for each question.
    """

    def __init__(
        self, leaks: Leaks, observer: Observer, run: Callable[[], bool], runs: int
    ) -> None:
        self._leaks = leaks
        self._observer = observer
        self._run = run
        self._runs = runs
        # Somewhat less than is to be expected: some of it may come late.
        self._least = 0.75 * min(runs, _TIMES)

    def found(self) -> Iterator[str]:
        """Yield lines about what leaks, the most telling first."""
        leaking = [number for number in range(THREADS + 1) if self._leaks.rate(number)]
        if not leaking:
            return
        others: list[str] = []
        yield from self._things(others)
        functions = list(allocating_functions(self._repeat, self._runs, self._least))
        yield from functions
        sites: list[str] = []
        # An engine would see the blocks that tracemalloc loses when it stops (CPython 3.11).
        if not (
            self._observer.counters.are_watched or {REFERENCES, BLOCKS, HEAP}.isdisjoint(leaking)
        ):
            sites = allocation_sites(self._repeat, self._observer.collect, self._runs, self._least)
            yield from sites
        for number in reversed(leaking):
            if number in (DESCRIPTORS, THREADS) or (number in (MAPPED, HEAP) and not sites):
                yield from self._lines(number)
                break
        yield from others

    def _repeat(self, runs: int) -> bool:
        return all(self._run() for _ in range(runs))

    def _things(self, others: list[str]) -> Iterator[str]:
        """Yield lines about objects, descriptors and threads that are new.

        :param others: gets those that do not say where something is kept.
        """
        counters = self._observer.counters
        descriptors = new_descriptors.descriptors()
        self._observer.collect()
        constants = references_to_constants()
        threads = set(threading.enumerate())
        census = Census(counters.objects(), constants)
        if not self._repeat(self._runs):
            return
        self._observer.collect()
        constants = references_to_constants()
        if self._leaks.rate(DESCRIPTORS):
            opened = new_descriptors.descriptors().items()
            yield from new_descriptors.in_words(
                words for number, words in opened if number not in descriptors
            )
        started = sorted(thread.name for thread in threading.enumerate() if thread not in threads)
        if started:
            more = " ..." if len(started) > _MOST_THREADS else ""
            verb = "runs" if len(started) == 1 else "run"
            listed = ", ".join(started[:_MOST_THREADS])
            yield f"{plural(len(started), 'thread')} {verb}: {listed}{more}"
        if any(map(self._leaks.rate, (REFERENCES, BLOCKS, HEAP))):
            objects = counters.objects()
            with counters.unfrozen():
                changes = census.changes(objects, constants, self._least)
                telling, others[:] = changes.in_words(census, self._runs)
                if not (telling or others):
                    rate = self._leaks.rate(REFERENCES)
                    telling = changes.references(census, self._runs, rate)
                    # What was lost has made them, and its line says more.
                    if any(map(self._leaks.rate, (BLOCKS, HEAP))):
                        telling, others[:] = [], telling
                    elif telling:
                        others += self._takers(max(changes.referred, key=itemgetter(0))[1])
                yield from telling

    def _takers(self, thing: object) -> Iterator[str]:
        """Yield the line that takes references to an object, if it is the only one."""
        lines = self._traced(partial(sys.getrefcount, thing))
        # A variable that has the object until its function ends looks the same.
        if len(lines) == 1:
            yield f"taken at {place(*lines[0])}"

    def _lines(self, number: int) -> Iterator[str]:
        """Yield the lines in which a counter grows."""
        for line in self._traced(partial(_READ[number], self._observer.counters)):
            yield f"made at {place(*line)}"

    def _traced(self, read: Callable[[], int]) -> list[PythonLine]:
        """Return the lines in which a counter grows.

        :param read: returns its value.
        """
        traced = GrowingLines(read)
        traced.of(self._run)
        traced.forget()
        for _ in range(self._runs):
            traced.of(self._run)
        return traced.lines(self._least)


#: How a counter is read for itself.
_READ: dict[int, Callable[[Counters], int]] = {
    HEAP: Counters.allocated,
    MAPPED: Counters.mapped,
    DESCRIPTORS: Counters.descriptors,
    THREADS: Counters.threads,
}
