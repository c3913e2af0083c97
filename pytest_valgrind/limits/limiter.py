"""Measures the memory of tests that have a limit, and fails those that go beyond."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_valgrind.fork import is_in_fork
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.limits.instrument import Instrument
from pytest_valgrind.limits.limit_marks import Limits, MemoryLimit
from pytest_valgrind.limits.previous_use import PreviousUse
from pytest_valgrind.limits.problem import Problem, listed
from pytest_valgrind.limits.problem_status import mark_problem
from pytest_valgrind.memory_size import format_size
from pytest_valgrind.reporting.attributes import add_problem


class Limiter:
    """Measures the calls of tests.

    :param limits: by test.
    :param previous: what tests used in earlier runs.
    :param fails_on_increase: whether a test fails that has a limit and uses more than when it
        passed before.
    :param freeze: whether garbage collections look only at what is new.
    """

    def __init__(
        self,
        instrument: Instrument,
        limits: dict[pytest.Item, Limits],
        previous: PreviousUse,
        *,
        fails_on_increase: bool,
        freeze: bool,
    ) -> None:
        self._instrument = instrument
        self._limits = limits
        self._previous = previous
        self._fails_on_increase = fails_on_increase
        self._garbage = Garbage(freeze=freeze)
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
        instrument = self._instrument
        leaks = instrument.watch(item, limits.leaks) if limits.leaks else None
        instrument.begin_test()
        if leaks:
            leaks.begin()
        try:
            before = instrument.usage()
            instrument.reset_peaks()
            try:
                result = yield
            finally:
                after = instrument.usage()
            problems = []
            if limits.memory:
                of_thread = limits.memory.current_thread_only
                peak = after.thread_peak_bytes if of_thread else after.peak_bytes
                start = before.thread_bytes if of_thread else before.bytes
                problems += self._judge(item, limits.memory, max(peak - start, 0))
            if leaks:
                problems += leaks.end()
            if problems:
                self._problems[item] = problems
            return result
        finally:
            if leaks:
                leaks.drop()
            instrument.end_test()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail a call that has passed."""
        report = yield
        if call.when == "call" and item in self._problems:
            problems = self._problems.pop(item)
            if report.passed:
                report.outcome = "failed"
                # xfail says nothing of a limit, as with pytest-memray; JUnit XML would skip it.
                vars(report).pop("wasxfail", None)
                report.longrepr = "\n".join(problem.message for problem in problems)
                mark_problem(report)
                for message, details in problems:
                    add_problem(report, message, details)
                    if details:
                        report.sections.append(("memory limit", f"{message}\n{details}"))
        return report

    def pytest_sessionfinish(self) -> None:
        """Keep what tests have used for the next run."""
        self._previous.write()

    def _judge(self, item: pytest.Item, limit: MemoryLimit, used: int) -> list[Problem]:
        if self._fails_on_increase:
            previous = self._previous.exceeded(item.nodeid, used)
            if previous is not None:
                before, now = format_size(previous), format_size(used)
                return [Problem(f"Test previously used {before} but now uses {now}")]
        self._previous.note(item.nodeid, used)
        if used < limit.bytes:
            return []
        found = self._instrument.allocations_at_peak(item, limit, used)
        message = (
            f"Test was limited to {format_size(limit.bytes)} but allocated {format_size(used)}"
        )
        return [Problem(message, listed("List of allocations, when the test ran again:", found))]
