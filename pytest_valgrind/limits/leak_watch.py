"""What a test leaves allocated by the native engine, and whether that is beyond its limit."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable
from functools import partial

import pytest

from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.limits.limit_marks import LeakLimit
from pytest_valgrind.limits.live_memory import Sizes, live_sizes
from pytest_valgrind.limits.native_run import NativeRun, is_possible
from pytest_valgrind.limits.problem import Problem, listed
from pytest_valgrind.limits.stacks import Allocations, Stack, described, merged
from pytest_valgrind.limits.traced_run import TracedRun, left_allocated
from pytest_valgrind.memory_size import format_size


class LeakWatch:
    """Finds out what a test leaves allocated, and where."""

    def __init__(self, engine: Engine, item: pytest.Item, limit: LeakLimit) -> None:
        self._engine = engine
        self._limit = limit
        # Before the call, so that what it fills is still empty there.
        self._run: TracedRun | NativeRun | None = _run_of(engine, item, limit)
        self._place = 0
        self._before: Sizes = Counter()

    def begin(self) -> None:
        """Note what the test has allocated before its call."""
        place = self._engine.place
        assert place is not None
        self._place = place
        self._before = self._sizes()

    def end(self) -> list[Problem]:
        """Return what is wrong after the call."""
        if not self._too_much():
            return []
        gc.collect()  # a cycle is no leak
        if not (left := self._too_much()) or self._run is None:
            return []
        run, self._run = self._run, None
        found = run.allocations(left) or _by_c_function(left)
        return judged(found, self._limit)

    def drop(self) -> None:
        """End what is not needed any more."""
        if self._run is not None:
            self._run.drop()
            self._run = None

    def _too_much(self) -> Sizes:
        """Return what is over the limit, by the function that asked: stacks cannot have more."""
        grown = self._sizes()
        grown.subtract(self._before)
        return Counter({key: size for key, size in grown.items() if size >= self._limit.bytes})

    def _sizes(self) -> Sizes:
        of_one_thread = self._limit.current_thread_only
        return live_sizes(self._engine, self._place, self._place, of_one_thread=of_one_thread)


def _run_of(engine: Engine, item: pytest.Item, limit: LeakLimit) -> TracedRun | NativeRun:
    of_one_thread = limit.current_thread_only
    if is_possible():
        return NativeRun(item, at_peak=False, of_one_thread=of_one_thread)
    return TracedRun(engine, item, partial(left_allocated, of_one_thread=of_one_thread))


def _by_c_function(sizes: Sizes) -> list[Allocations]:
    frames = CFrames()
    found = described([frames.at(caller) for _, caller in sizes])
    return merged(
        Allocations(size, Stack(tuple(frame)))
        for size, frame in zip(sizes.values(), found, strict=True)
    )


def judged(found: Iterable[Allocations], limit: LeakLimit) -> list[Problem]:
    """Return what is wrong with what a test has left allocated, by its places."""
    counted = [
        each
        for each in found
        if each.size >= limit.bytes and (limit.filter_fn is None or limit.filter_fn(each.stack))
    ]
    if not counted:
        return []
    message = (
        f"Test was allowed to leak {format_size(limit.bytes)} per location but at least one "
        "location leaked more"
    )
    return [Problem(message, listed("List of leaked allocations:", counted))]
