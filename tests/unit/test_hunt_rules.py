"""How often something is repeated before it is clean, or leaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_valgrind.hunt import counters
from pytest_valgrind.hunt.counters import Reading
from pytest_valgrind.hunt.rules import DoublingWindows, EachRun

#: Of a run: its number, from 1.
Growth = Callable[[int], int]


class Runs:
    """Stands for a test, and for who observes it: a counter that grows as the runs go by."""

    def __init__(self, counter: int, growth: Growth) -> None:
        self._counter = counter
        self._growth = growth
        self._value = 0
        self.count = 0
        self.readings = 0

    def repeat(self, runs: int) -> bool:
        for _ in range(runs):
            self.count += 1
            self._value += self._growth(self.count)
        return True

    def read(self, into: Reading[int]) -> None:
        self.readings += 1
        into[self._counter] = self._value

    start = read

    def steady(self) -> None:
        """Do nothing: the counter grows by what was said only."""


def hunt(runs: Runs, least: int = 10, seconds: float = 1000.0) -> dict[str, object]:
    leaks = DoublingWindows(least, seconds).hunt(runs, runs.repeat)  # type: ignore[arg-type]
    assert leaks is not None
    return leaks


def test_clean_test_runs_twelve_times() -> None:
    runs = Runs(counters.HEAP, lambda _: 0)
    assert not hunt(runs)
    assert (runs.count, runs.readings) == (12, 2)


def test_what_is_made_while_it_warms_up_is_no_growth() -> None:
    runs = Runs(counters.HEAP, lambda number: number < 3)
    assert not hunt(runs)
    assert runs.count == 12


def test_what_is_made_late_takes_one_more_window() -> None:
    runs = Runs(counters.HEAP, lambda number: number == 3)
    assert not hunt(runs)
    assert runs.count == 22


@pytest.mark.parametrize("phase", range(10))
def test_leak_in_each_tenth_run_is_found(phase: int) -> None:
    assert "heap bytes" in hunt(Runs(counters.HEAP, lambda number: number % 10 == phase))


def test_full_cache_is_no_leak() -> None:
    assert not hunt(Runs(counters.BLOCKS, lambda number: number <= 1000))


def test_what_was_freed_hides_no_leak() -> None:
    """There was something for a moment when it was counted for the first time."""
    runs = Runs(counters.BLOCKS, lambda number: -17 if number == 3 else 1)
    assert "memory blocks" in hunt(runs)


@pytest.mark.parametrize("counter", counters.SCARCE)
def test_what_is_scarce_leaks_after_three_windows(counter: int) -> None:
    runs = Runs(counter, lambda _: 1)
    assert counters.NAMES[counter] in hunt(runs)
    assert runs.count == 42


@pytest.mark.parametrize("counter", [counters.HEAP, counters.MAPPED])
def test_no_window_is_long_where_much_is_lost(counter: int) -> None:
    """A hundred MiB with each run."""
    runs = Runs(counter, lambda _: 100 << 20)
    assert counters.NAMES[counter] in hunt(runs, least=1000)
    assert runs.count == 16


def test_time_ends_no_hunt_before_three_windows() -> None:
    runs = Runs(counters.HEAP, lambda _: 1)
    assert "heap bytes" in hunt(runs, seconds=0.0)
    assert runs.count == 42


def test_as_many_repetitions_as_are_asked_for() -> None:
    runs = Runs(counters.HEAP, lambda _: 0)
    assert not hunt(runs, least=1000)
    assert runs.count >= 1000


def test_run_that_fails_ends_a_hunt() -> None:
    runs = Runs(counters.HEAP, lambda _: 0)
    for rule in (DoublingWindows(10, 1.0), EachRun(3, 4)):
        assert rule.hunt(runs, lambda _: False) is None  # type: ignore[arg-type]


def test_numbers_are_those_of_regrtest() -> None:
    runs = Runs(counters.BLOCKS, lambda _: 2)
    leaks = EachRun(3, 4).hunt(runs, runs.repeat)  # type: ignore[arg-type]
    assert leaks == {"memory blocks": [2, 2, 2, 2]}
    assert runs.count == 7


@pytest.mark.parametrize("disturbed", range(4, 8))
def test_one_disturbed_run_hides_no_leak(disturbed: int) -> None:
    runs = Runs(counters.BLOCKS, lambda number: -17 if number == disturbed else 1)
    leaks = EachRun(3, 4).hunt(runs, runs.repeat)  # type: ignore[arg-type]
    assert leaks == {"memory blocks": [1, 1, 1, 1]}
    assert runs.count == 12


def test_what_grows_in_half_of_the_runs_is_not_counted_again() -> None:
    runs = Runs(counters.BLOCKS, lambda number: number % 2)
    assert EachRun(3, 4).hunt(runs, runs.repeat) == {}  # type: ignore[arg-type]
    assert runs.count == 7


def test_descriptor_of_the_first_runs_is_kept() -> None:
    """Where others grew in all runs but one."""
    runs = Runs(counters.DESCRIPTORS, lambda number: number in (4, 5, 6))
    leaks = EachRun(3, 4).hunt(runs, runs.repeat)  # type: ignore[arg-type]
    assert leaks == {"file descriptors": [1, 1, 1, 0]}
