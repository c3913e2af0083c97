"""Measures the memory of tests that have a limit, and fails those that go beyond."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Generator, Iterable
from functools import partial
from typing import Any, NamedTuple

import pytest

from pytest_valgrind.fork import is_in_fork
from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.limits.limit_marks import LeakLimit, Limits, MemoryLimit
from pytest_valgrind.limits.live_memory import Sizes, live_sizes
from pytest_valgrind.limits.problem_status import mark_problem
from pytest_valgrind.limits.stacks import Allocations, Stack, described, merged, shown
from pytest_valgrind.limits.traced_run import TracedRun, at_the_peak, left_allocated
from pytest_valgrind.memory_size import format_size
from pytest_valgrind.reporting.attributes import add_problem

#: From here on no test of a session has a place.
_FIRST_FREE = 1 << 31
#: By how much more than before a test may use: hashes, and so dicts, differ from run to run.
_TOLERANCE = 1.01
_TOLERATED_BYTES = 4096


class Problem(NamedTuple):
    """What is wrong with the memory of a test."""

    message: str
    #: More about it, empty if there is no more.
    details: str = ""


class Limiter:
    """Measures the calls of tests.

    :param limits: by test.
    :param fails_on_increase: whether a test fails that has a limit and uses more than when it
        passed before.
    :param numbers_tests: whether nobody else tells the engine which test runs.
    :param freeze: whether garbage collections look only at what is new.
    """

    def __init__(
        self,
        engine: Engine,
        limits: dict[pytest.Item, Limits],
        *,
        fails_on_increase: bool,
        numbers_tests: bool,
        freeze: bool,
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._fails_on_increase = fails_on_increase
        self._numbers_tests = numbers_tests
        self._garbage = Garbage(freeze=freeze)
        self._place = 0
        self._problems: dict[pytest.Item, list[Problem]] = {}

    # The innermost: what others do around the call is not the test's.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure the call of a test."""
        limits = self._limits.get(item)
        if limits is None or is_in_fork():
            return (yield)
        # What it would free of earlier garbage would count for it.
        self._garbage.settle()
        leaks = _LeakWatch(self._engine, item, limits.leaks) if limits.leaks else None
        place = self._begin()
        if leaks:
            leaks.begin(place)
        engine = self._engine
        try:
            before = engine.usage()
            engine.reset_peaks()
            try:
                result = yield
            finally:
                after = engine.usage()
            problems = []
            if limits.memory:
                of_thread = limits.memory.current_thread_only
                peak = after.thread_peak_bytes if of_thread else after.peak_bytes
                start = before.thread_bytes if of_thread else before.bytes
                problems += self._judge(item, limits.memory, max(peak - start, 0))
            if leaks:
                problems += leaks.end()
            self._problems[item] = problems
            return result
        finally:
            if leaks:
                leaks.drop()
            if self._numbers_tests:
                engine.end_test()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail a call that has passed."""
        report = yield
        if call.when == "call" and item in self._problems:
            problems = self._problems.pop(item)
            if problems and report.passed:
                report.outcome = "failed"
                report.longrepr = "\n".join(problem.message for problem in problems)
                mark_problem(report)
                for message, details in problems:
                    add_problem(report, message, details)
                    if details:
                        report.sections.append(("memory limit", f"{message}\n{details}"))
        return report

    def _begin(self) -> int:
        """Return the place of the test that begins."""
        if self._numbers_tests:
            self._engine.begin_test(self._place)
            self._place += 1
        place = self._engine.place
        assert place is not None
        return place

    def _judge(self, item: pytest.Item, limit: MemoryLimit, used: int) -> list[Problem]:
        previous = self._previous(item, used)
        if previous is not None:
            return [
                Problem(
                    f"Test previously used {format_size(previous)} but now uses {format_size(used)}"
                )
            ]
        if used < limit.bytes:
            return []
        measure = partial(at_the_peak, growth=used, of_one_thread=limit.current_thread_only)
        try:
            found = TracedRun(self._engine, item, _FIRST_FREE, measure).allocations()
        except OSError:  # there cannot be another process
            found = []
        message = (
            f"Test was limited to {format_size(limit.bytes)} but allocated {format_size(used)}"
        )
        return [Problem(message, _listed("List of allocations, when the test ran again:", found))]

    def _previous(self, item: pytest.Item, used: int) -> float | None:
        """Return what the test used when it did not use too much, None if it does not now."""
        cache = item.config.cache if hasattr(item.config, "cache") else None
        if cache is None:
            return None
        # A name may be longer than that of a file can be.
        key = f"limit_memory/{hashlib.sha1(item.nodeid.encode()).hexdigest()}"
        previous: dict[str, Any] = cache.get(key, {})
        most = previous.get("bytes")
        if (
            self._fails_on_increase
            and most is not None
            and used > max(most * _TOLERANCE, most + _TOLERATED_BYTES)
        ):
            return float(most)
        cache.set(key, {"nodeid": item.nodeid, "bytes": used})
        return None


class _LeakWatch:
    """Finds out what a test leaves allocated, and where."""

    def __init__(self, engine: Engine, item: pytest.Item, limit: LeakLimit) -> None:
        self._engine = engine
        self._limit = limit
        measure = partial(left_allocated, of_one_thread=limit.current_thread_only)
        # Before the call, so that what it fills is still empty there.
        self._run: TracedRun | None = TracedRun(engine, item, _FIRST_FREE, measure)
        self._place = 0
        self._before: Sizes = Counter()

    def begin(self, place: int) -> None:
        """Note what the test has allocated before its call."""
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
        limit, filter_fn = self._limit.bytes, self._limit.filter_fn
        counted = [
            each
            for each in found
            if each.size >= limit and (filter_fn is None or filter_fn(each.stack))
        ]
        if not counted:
            return []
        message = (
            f"Test was allowed to leak {format_size(limit)} per location but at least one location "
            "leaked more"
        )
        return [Problem(message, _listed("List of leaked allocations:", counted))]

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


def _by_c_function(sizes: Sizes) -> list[Allocations]:
    frames = CFrames()
    found = described([frames.at(caller) for _, caller in sizes])
    return merged(
        Allocations(size, Stack(tuple(frame)))
        for size, frame in zip(sizes.values(), found, strict=True)
    )


def _listed(title: str, found: Iterable[Allocations]) -> str:
    lines = [*shown(found)]
    return "\n".join([title, *lines]) if lines else ""
