"""A test that runs again and again, and leaves nothing of that with pytest."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.hunt.quick_runs import QuickRuns, can_run_quickly
from pytest_valgrind.items.deferred_reports import DeferredReports


class Repetition:
    """Runs a test: setup, call, teardown, with the fixtures of wider scopes set up only once.

    :param reports: stands before the hooks that log reports.
    :param fixtures: of wider scopes, as far as they have been set up.
    :param used: the names of all fixtures that are set up for the test.
    """

    def __init__(
        self,
        item: pytest.Item,
        reports: DeferredReports,
        fixtures: Collection[pytest.FixtureDef[Any]],
        used: Collection[str],
    ) -> None:
        self._item = item
        # All but the test is torn down when it runs for the last time, as pytest does it.
        self._after = cast(pytest.Item, item.parent)
        self._reports = reports
        self._fixtures = fixtures
        self._used = used
        # Not known before it has run once.
        self._quick_runs: QuickRuns | None = None
        self._is_first = True
        self._globals = dict(pytest_internals.globals_of_doctest(item) or {})
        #: Those of the run that ended the hunt: it has failed, or was skipped.
        self.last: Sequence[pytest.TestReport] = ()

    def repeat(self, runs: int) -> bool:
        """Run it so many times; return whether it has passed each time."""
        self._reports.hold([])  # of subtests, which log their own
        try:
            if self._is_first:
                if not self._run_wholly():
                    return False
                self._is_first = False
                runs -= 1
                if can_run_quickly(self._item, self._used):
                    self._quick_runs = QuickRuns(self._item, self._after)
            if self._quick_runs is None:
                return all(self._run_wholly() for _ in range(runs))
            with self._put_back() as warned, self._quick_runs.together() as run:
                for _ in range(runs):
                    if not self._has_passed(run()):
                        return False
                    # What it is about may be part of it.
                    warned.clear()
                return True
        finally:
            self._reports.release()
            pytest_internals.forget_output(self._item)

    def _run_wholly(self) -> bool:
        with self._put_back():
            reports = pytest_internals.run_phases(self._item, self._after)
        return self._has_passed(reports)

    def _has_passed(self, reports: Sequence[pytest.TestReport]) -> bool:
        if all(report.passed for report in reports):
            return True
        self.last = reports
        return False

    @contextlib.contextmanager
    def _put_back(self) -> Iterator[list[warnings.WarningMessage]]:
        """Put back what is noted of each run; the value is what it warns of."""
        item = self._item
        # Hypothesis adds some to the session's, for each run.
        noted: list[list[Any]] = [
            item.user_properties,
            pytest_internals.global_properties(item.config),
        ]
        counts = [len(properties) for properties in noted]
        try:
            # Pytest keeps all warnings of a test until it has been reported.
            with (
                warnings.catch_warnings(record=True) as warned,
                pytest_internals.without_tmp_paths(item.config),
            ):
                yield warned
        finally:
            for properties, count in zip(noted, counts, strict=True):
                del properties[count:]
            self._restore()

    def tidy(self) -> None:
        """Drop what pytest keeps of each run until a module or the session ends."""
        pytest_internals.forget_repeated_finalizers(self._item.session, self._fixtures)

    def _restore(self) -> None:
        item = self._item
        pytest_internals.forget_output(item)
        variables = pytest_internals.globals_of_doctest(item)
        if variables is not None:
            variables.clear()
            variables.update(self._globals)
