"""Looks at everything that has been taken out of garbage collections."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from pytest_valgrind.leaks import garbage
from pytest_valgrind.leaks.garbage import Garbage


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Garbage:
    """Return one for which a look at everything takes a second."""
    clock: Iterator[float] = iter(range(1000))
    monkeypatch.setattr(garbage, "process_time", lambda: next(clock))
    return Garbage(freeze=False, spare=2.0)


def looks(collector: Garbage, modules: int, seconds: float) -> int:
    """Return how often everything is looked at, where each module takes so many seconds."""
    count = 0
    for number in range(modules):
        if collector.may_settle_everything(number * seconds):
            collector.settle_everything()
            count += 1
    return count


def test_few_modules(collector: Garbage) -> None:
    """The first looks at everything are free."""
    assert looks(collector, modules=2, seconds=0) == 2


def test_modules_of_a_single_quick_test(collector: Garbage) -> None:
    """A twentieth of the time is for looks at everything."""
    assert looks(collector, modules=200, seconds=1) == 11


def test_modules_that_take_long(collector: Garbage) -> None:
    """Each is followed by a look at everything."""
    assert looks(collector, modules=50, seconds=60) == 50


class Node:
    """In a circle, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_callback_lets_go_of_is_garbage_too() -> None:
    """It was in use when everything was looked at first."""
    kept = {"late": Node()}
    late = weakref.ref(kept["late"])
    first = weakref.ref(Node(), lambda _reference: kept.clear())
    Garbage(freeze=True).settle_everything(thoroughly=True)
    gc.unfreeze()
    assert first() is None
    assert late() is None
