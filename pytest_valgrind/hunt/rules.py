"""How often something is repeated, and which counters leak by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

from pytest_valgrind.hunt import windows
from pytest_valgrind.hunt.counters import (
    DESCRIPTORS,
    HEAP,
    MAPPED,
    NAMES,
    REFERENCES,
    SCARCE,
    Reading,
    new_reading,
)
from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.hunt.observer import Observer
from pytest_valgrind.items.item_run import effort

# Runs of a window from which on references are counted, which takes a millisecond or more; and
# seconds after which that does not matter.
_LONG = 8
_SLOW = 0.02
#: Bytes that may be lost before there is none.
_MOST_BYTES = 1 << 28

#: Does it once; returns whether to go on.
Run = Callable[[], bool]


class Rule(Protocol):
    """How often to repeat, and what is a leak."""

    def hunt(self, observer: Observer, run: Run) -> Leaks | None:
        """Return what leaks, None if a run has ended the hunt."""


class DoublingWindows:
    """Warms up, and repeats in windows of 1, 2, 4, 8 ... runs for as long as anything grows.

    :param least: runs in the windows after which nothing need have leaked.
    :param seconds: of processor time, mostly, after which there is no longer window.
    """

    def __init__(self, least: int, seconds: float) -> None:
        self._seconds = seconds
        self._least = len(windows.windows(least))
        # All of them, as a list that grows between two windows would be a leak.
        self._runs = windows.windows(max(windows.MOST, least))
        self._readings = [new_reading() for _ in range(len(self._runs) + 1)]
        # As it was where references were not counted yet: that makes some blocks the first time.
        self._uncounted = new_reading()

    def hunt(self, observer: Observer, run: Run) -> Leaks | None:
        """Return what leaks, None if a run has ended the hunt."""
        for _ in range(windows.WARM_UP):
            if not run():
                return None
        start = effort()
        readings = self._readings
        observer.settle()
        observer.read(readings[0], references=False)
        # The window from which on references are counted.
        counted = len(self._runs)
        for place, runs in enumerate(self._runs):
            if place < counted and (runs >= _LONG or effort() - start > _SLOW):
                counted = place
                self._uncounted[:] = readings[place]
                observer.read(readings[place])
            for _ in range(runs):
                if not run():
                    return None
            observer.read(readings[place + 1], references=place >= counted)
            if place + 1 >= self._least and self._is_over(place + 1, counted, effort() - start):
                break
        return self._found(place + 1, counted)

    def _is_over(self, count: int, counted: int, seconds: float) -> bool:
        """Whether to look at no longer window, after so many."""
        first, last = self._readings[0], self._readings[count]
        # Two windows, in which even that happens which happens only in each tenth run.
        start = list(self._readings[count - 2])
        if counted == count - 1:
            start = [
                before + after - uncounted
                for before, after, uncounted in zip(
                    start, self._readings[counted], self._uncounted, strict=True
                )
            ]
            start[REFERENCES] = self._readings[counted][REFERENCES]
        grew = any(after > before for after, before in zip(last, start, strict=True))
        lost = sum(last[number] - first[number] for number in (HEAP, MAPPED))
        if not grew or lost >= _MOST_BYTES:
            return True
        if sum(self._runs[:count]) < windows.LEAST_TO_BLAME:
            return False
        if seconds >= self._seconds:
            return True
        found = self._found(count, counted)
        return any(NAMES[number] in found for number in SCARCE)

    def _found(self, count: int, counted: int) -> Leaks:
        runs = self._runs[:count]
        leaks = Leaks()
        for number, growth in enumerate(_growth(self._readings[: count + 1])):
            first = counted if number == REFERENCES else 0
            if windows.is_leak(growth[first:], runs[first:]):
                leaks[NAMES[number]] = growth[-windows.DECIDING :]
        leaks.runs, leaks.total = runs[-windows.DECIDING :], sum(runs)
        return leaks


class EachRun:
    """Warms up, and compares after each of some runs, as pytest-leaks and regrtest do.

    :param stab: runs to warm up.
    :param run: runs that are compared.
    """

    def __init__(self, stab: int, run: int) -> None:
        self._stab = stab
        self._readings = [new_reading() for _ in range(run + 1)]

    def hunt(self, observer: Observer, run: Run) -> Leaks | None:
        """Return what leaks, None if a run has ended the hunt."""
        observer.settle()
        # Also while it settles, as what counting makes is made by then. In one loop, as another
        # would have a list and an iterator more.
        observer.read(self._readings[0])
        for number in range(1 - self._stab, len(self._readings)):
            if not run():
                return None
            observer.read(self._readings[max(0, number)])
        leaks = Leaks()
        for number, growth in enumerate(_growth(self._readings)):
            if any(growth) if number == DESCRIPTORS else windows.all_grew(growth):
                leaks[NAMES[number]] = growth
        return leaks


def _growth(readings: Sequence[Reading[int]]) -> list[list[int]]:
    """Return, for each counter, by how much it grew from each reading to the next."""
    return [
        [after[number] - before[number] for before, after in pairwise(readings)]
        for number in range(len(NAMES))
    ]
