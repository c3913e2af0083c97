"""A test as JSON has it: its outcome, its duration, its memory."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_valgrind.reporting.attributes import MEMORY

#: From the worst on: a test that has failed stays so, whatever its teardown says.
_RANK = ("error", "failed", "xpassed", "xfailed", "skipped", "passed")


class TestRecord:
    """What the reports of a test say, as they come."""

    __test__ = False  # for pytest, where it is imported by a test

    def __init__(self, report: pytest.TestReport) -> None:
        self.nodeid = report.nodeid
        file, line, _ = report.location
        self.file = file
        #: From 1 on.
        self.line = (line or 0) + 1
        self._outcome = "passed"
        self._seconds = 0.0
        #: The name of the worker of pytest-xdist, empty if there is none.
        self._worker = ""
        self._memory: dict[str, Any] | None = None

    def take(self, report: pytest.TestReport) -> None:
        """Take one more phase."""
        if report.when == "setup":  # for the first time, or because the test runs again
            self._outcome, self._seconds = "passed", 0.0
        outcome = _outcome(report)
        if _RANK.index(outcome) < _RANK.index(self._outcome):
            self._outcome = outcome
        self._seconds += report.duration
        self._worker = getattr(report, "worker_id", "") or self._worker
        self._memory = getattr(report, MEMORY, None) or self._memory

    @property
    def record(self) -> dict[str, Any]:
        """What JSON can hold of it."""
        record: dict[str, Any] = {
            "nodeid": self.nodeid,
            "outcome": self._outcome,
            "seconds": round(self._seconds, 6),
            "file": self.file,
            "line": self.line,
        }
        if self._worker:
            record["worker"] = self._worker
        if self._memory:
            record["memory"] = self._memory
        return record


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed" if report.passed else "failed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "skipped" if report.skipped else "passed"
