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
    SCARCE,
    Reading,
    new_reading,
)
from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.hunt.observer import Observer
from pytest_valgrind.items.item_run import effort

#: Bytes that may be lost before there is none, and runs of a window that comes after that.
_MOST_BYTES = 1 << 28
_FEW = 2

#: Does it so many times, one after the other; returns whether to go on.
Repeat = Callable[[int], bool]


class Rule(Protocol):
    """How often to repeat, and what is a leak."""

    def hunt(self, observer: Observer, repeat: Repeat) -> Leaks | None:
        """Return what leaks, None if a run has ended the hunt."""


class DoublingWindows:
    """Warms up, and repeats in ever longer windows for as long as anything grows.

    :param least: runs in the windows after which nothing need have leaked.
    :param seconds: of processor time, mostly, after which there is no longer window.
    """

    def __init__(self, least: int, seconds: float) -> None:
        self._seconds = seconds
        self._least = len(windows.windows(least))
        # To warm up, and of all windows, as a list that grows between two readings would be a leak.
        self._runs = [windows.WARM_UP, *windows.windows(max(windows.MOST, least))]
        self._readings = [new_reading() for _ in self._runs]

    def hunt(self, observer: Observer, repeat: Repeat) -> Leaks | None:
        """Return what leaks, None if a run has ended the hunt."""
        start = effort()
        is_steady = False
        # In one loop, as the parts of another would be new at the second reading.
        for count, runs in enumerate(self._runs):
            if not repeat(runs):
                return None
            if count == 0:
                observer.start(self._readings[0])
                continue
            observer.read(self._readings[count])
            if self._is_over(count, effort() - start):
                break
            if not is_steady and self._grew(count):
                is_steady = True
                observer.steady()
        return self._found(count)

    def _is_over(self, count: int, seconds: float) -> bool:
        """Whether to look at no longer window, after so many."""
        first, before, last = (self._readings[place] for place in (0, count - 1, count))
        if _bytes_lost(before, last) >= _MOST_BYTES:
            self._runs[count + 1 :] = [_FEW] * (windows.DECIDING - count)
        if count >= windows.DECIDING and _bytes_lost(first, last) >= _MOST_BYTES:
            return True
        if count < self._least:
            return False
        grew = self._grew(count)
        if count < windows.DECIDING:
            # What was there only for a moment, when it was counted before, may hide a leak.
            return not grew and not self._fell(count)
        if not grew:
            return True
        if seconds >= self._seconds:
            return True
        found = self._found(count)
        return any(NAMES[number] in found for number in SCARCE)

    def _grew(self, count: int) -> bool:
        before, after = self._readings[count - 1 : count + 1]
        return any(grown > number for number, grown in zip(before, after, strict=True))

    def _fell(self, count: int) -> bool:
        before, after = self._readings[count - 1 : count + 1]
        return any(fallen < number for number, fallen in zip(before, after, strict=True))

    def _found(self, count: int) -> Leaks:
        runs = self._runs[1 : count + 1]
        leaks = Leaks()
        for number, growth in enumerate(_growth(self._readings[: count + 1])):
            if windows.is_leak(growth, runs):
                leaks[NAMES[number]] = growth[-windows.DECIDING :]
        leaks.runs, leaks.total = runs[-windows.DECIDING :], sum(runs)
        return leaks


class EachRun:
    """Warms up, and compares after each of some runs, as pytest-leaks and regrtest do.

    If anything grew in all of these runs but one, they are made once more.

    :param stab: runs to warm up.
    :param run: runs that are compared.
    """

    def __init__(self, stab: int, run: int) -> None:
        self._stab = stab
        self._readings = [new_reading() for _ in range(run + 1)]

    def hunt(self, observer: Observer, repeat: Repeat) -> Leaks | None:
        """Return what leaks, None if a run has ended the hunt."""
        # Also while it settles, as what counting makes is made by then. In one loop, as another
        # would have a list and an iterator more.
        observer.start(self._readings[0])
        leaks = Leaks()
        for stab in (self._stab, 1):
            for number in range(1 - stab, len(self._readings)):
                if not repeat(1):
                    return None
                observer.read(self._readings[max(0, number)])
            of_all = _growth(self._readings)
            for number, growth in enumerate(of_all):
                if any(growth) if number == DESCRIPTORS else windows.all_grew(growth):
                    leaks.setdefault(NAMES[number], growth)
            # Other threads may have hidden one: in a worker of pytest-xdist, messages come at any
            # time, and each is some twenty blocks for a moment.
            if not any(map(windows.all_but_one_grew, of_all)):
                break
        return leaks


def _bytes_lost(before: Reading[int], after: Reading[int]) -> int:
    return sum(after[number] - before[number] for number in (HEAP, MAPPED))


def _growth(readings: Sequence[Reading[int]]) -> list[list[int]]:
    """Return, for each counter, by how much it grew from each reading to the next."""
    return [
        [after[number] - before[number] for before, after in pairwise(readings)]
        for number in range(len(NAMES))
    ]
