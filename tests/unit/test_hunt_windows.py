"""When growth is a leak."""

from __future__ import annotations

import random

import pytest

from pytest_valgrind.hunt.windows import FIRST, MOST, all_grew, is_leak, windows

RUNS = windows(MOST)


def growth(made: set[int], count: int = len(RUNS)) -> list[int]:
    """Return by how much something grows in windows, if it does so in some runs."""
    found, start = [], 0
    for runs in RUNS[:count]:
        found.append(len(made & set(range(start, start + runs))))
        start += runs
    return found


def decide(made: set[int], count: int = len(RUNS)) -> bool:
    return is_leak(growth(made, count), RUNS[:count])


@pytest.mark.parametrize(
    ("least", "expected"), [(1, [10]), (10, [10]), (11, [10, 10]), (40, [10, 10, 20])]
)
def test_windows_double(least: int, expected: list[int]) -> None:
    """Each is as long as all before it, and there are enough of them."""
    assert windows(least) == expected


def test_a_thousand_runs() -> None:
    assert 1000 <= sum(windows(1000)) < 2000


@pytest.mark.parametrize("count", range(3, len(RUNS) + 1))
def test_leak_in_each_run(count: int) -> None:
    assert decide(set(range(MOST)), count)


@pytest.mark.parametrize("phase", range(10))
def test_leak_in_each_tenth_run(phase: int) -> None:
    """Once there have been some hundred runs."""
    assert decide(set(range(phase, MOST, 10)))


@pytest.mark.parametrize("phase", range(0, 100, 7))
def test_leak_in_each_hundredth_run(phase: int) -> None:
    assert decide(set(range(phase, MOST, 100)), len(windows(1000)))


def test_rare_leak_by_chance() -> None:
    chance = random.Random(0)
    assert decide({run for run in range(MOST) if chance.random() < 0.05})


@pytest.mark.parametrize("last", [[1, 7, 4], [2, 3, 6], [1, 1, 1]])
def test_few_in_a_thousand_runs(last: list[int]) -> None:
    """As references of the process itself, beside what does leak."""
    assert not is_leak([0] * (len(RUNS) - 3) + last, RUNS)


@pytest.mark.parametrize("size", [1, 25, 64, 256, 1000, 1300])
def test_cache_that_fills(size: int) -> None:
    """It grows with each run until it is full."""
    assert not decide(set(range(size)))


@pytest.mark.parametrize("size", [5, 20, 80])
def test_cache_that_fills_at_random(size: int) -> None:
    """Ever less of what it is asked for is new."""
    chance = random.Random(size)
    seen: set[int] = set()
    made = set()
    for run in range(MOST):
        key = chance.randrange(size)
        if key not in seen:
            seen.add(key)
            made.add(run)
    assert not decide(made)


def test_growth_that_ended() -> None:
    assert not is_leak([1, 2, 4, 0], [1, 2, 4, 8])


def test_growth_that_fades() -> None:
    """At less than half of its rate in the last four windows."""
    assert not is_leak([8, 8, 8, 8], [1, 2, 4, 8])


def test_growth_that_fades_slowly() -> None:
    """Blocks that asyncio.run made in CPython 3.10, in windows of 64, 128, 256 and 512 runs."""
    assert not is_leak([58, 108, 184, 221], [64, 128, 256, 512])


@pytest.mark.parametrize("count", range(3, len(RUNS) + 1))
def test_growth_once_a_window(count: int) -> None:
    """As reading itself may make something."""
    assert not is_leak([1] * count, RUNS[:count])


def test_too_few_windows() -> None:
    assert not is_leak([1, 2], [1, 2])


@pytest.mark.parametrize("phase", range(10))
def test_leak_in_each_tenth_run_grows_in_each_window(phase: int) -> None:
    """So that a test is clean in whose last window nothing has grown."""
    assert min(growth(set(range(phase, MOST, 10)))) > 0


def test_clean_test_is_cheap() -> None:
    assert windows() == [FIRST] == [10]


@pytest.mark.parametrize(
    ("deltas", "leaks"),
    [
        ([5, 5, 6], True),
        ([10, 1, 1], True),
        ([3, 0, 0], False),
        ([0, 1, 0], False),
        ([8, -8, 1], False),
    ],
)
def test_rule_of_regrtest(deltas: list[int], leaks: bool) -> None:
    """Its own examples (bpo-30776)."""
    assert all_grew(deltas) is leaks
