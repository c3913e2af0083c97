"""The section of the summary about what tests have left, wherever they ran."""

from __future__ import annotations

import pytest

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.reporting.text import one_line, total_line
from pytest_valgrind.resources.leftovers import ATTRIBUTE, unpacked

# What a run prints shall be read.
_MOST_OF_A_TEST = 10


class ResourceSummary:
    """A plugin that takes what reports say, those of pytest-xdist's workers as well."""

    def __init__(self) -> None:
        self._tests = 0
        self._left: dict[str, list[Finding]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what was left by a test."""
        values = getattr(report, ATTRIBUTE, None)
        if values is not None:
            self._tests += 1
            if values:
                self._left.setdefault(report.nodeid, []).extend(unpacked(values))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a line for each thing, and the totals."""
        terminalreporter.section("resources")
        for nodeid, left in self._left.items():
            for found in left[:_MOST_OF_A_TEST]:
                known = "  (in the baseline)" if found.known else ""
                terminalreporter.write_line(f"{nodeid}: {one_line([found])}{known}")
            if (more := len(left) - _MOST_OF_A_TEST) > 0:
                terminalreporter.write_line(f"{nodeid}: and {more:,} more")
        total = total_line([found for left in self._left.values() for found in left])
        tests = f"{plural(self._tests, 'test')} checked"
        if total:
            terminalreporter.write_line(f"{total} in {plural(len(self._left), 'test')}; {tests}")
        else:
            terminalreporter.write_line(f"nothing left, {tests}")
