"""Limits by the native engine, which knows each block and the test that made it."""

from __future__ import annotations

from functools import partial

import pytest

from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.limits.instrument import Watch
from pytest_valgrind.limits.leak_watch import LeakWatch
from pytest_valgrind.limits.limit_marks import LeakLimit, MemoryLimit
from pytest_valgrind.limits.native_run import NativeRun, is_possible
from pytest_valgrind.limits.stacks import Allocations
from pytest_valgrind.limits.traced_run import TracedRun, at_the_peak


class HeapInstrument:
    """The engine of this process.

    :param numbers_tests: whether nobody else tells the engine which test runs.
    """

    def __init__(self, engine: Engine, *, numbers_tests: bool) -> None:
        self._engine = engine
        self._numbers_tests = numbers_tests
        self._place = 0
        self.usage = engine.usage
        self.reset_peaks = engine.reset_peaks

    def begin_test(self) -> None:
        """Have what is made from now on belong to another test."""
        if self._numbers_tests:
            self._engine.begin_test(self._place)
            self._place += 1

    def end_test(self) -> None:
        """Have it belong to none."""
        if self._numbers_tests:
            self._engine.end_test()

    def watch(self, item: pytest.Item, limit: LeakLimit) -> Watch:
        """Return what sees where a test leaves memory allocated."""
        return LeakWatch(self._engine, item, limit)

    def allocations_at_peak(
        self, item: pytest.Item, limit: MemoryLimit, used: int
    ) -> list[Allocations]:
        """Return where a test has allocated what it used at most, as it runs once more."""
        of_one_thread = limit.current_thread_only
        measure = partial(at_the_peak, growth=used, of_one_thread=of_one_thread)
        try:
            if is_possible():
                return NativeRun(item, at_peak=True, of_one_thread=of_one_thread).allocations()
            return TracedRun(self._engine, item, measure).allocations()
        except OSError:  # there cannot be another process
            return []
