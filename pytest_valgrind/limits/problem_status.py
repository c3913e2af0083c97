"""The status of a test that went beyond a limit, in the terminal's words of pytest-memray."""

from __future__ import annotations

import pytest

_ATTRIBUTE = "memory_problem"


def mark_problem(report: pytest.TestReport) -> None:
    """Have a report be about a limit, in whatever process it is shown."""
    vars(report)[_ATTRIBUTE] = True


class ProblemStatus:
    """Tells the terminal."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """Return the category, the letter and the word."""
        if report.failed and getattr(report, _ATTRIBUTE, False):
            return "failed", "M", "MEMORY PROBLEMS"
        return None
