"""Leaks in pytest's reports, and in the terminal's summary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import pytest

from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.pytest_internals import longrepr
from pytest_valgrind.reporting.reports import LEAKS_FOUND

HEADER = "[LEAKED]"
# The section of a report, as pytest-leaks has it.
_SECTION = "pytest-leaks"
# In a line of the summary.
_MOST_NAMES = 2


def give(report: pytest.TestReport, leaks: Leaks, *, fails: bool, known: str | None) -> None:
    """Have the report of a call say what has leaked.

    :param fails: whether a test that has passed fails by it.
    :param known: the reason for which it is expected, None if it is not.
    """
    # An attribute, as pytest-xdist sends those.
    vars(report)[LEAKS_FOUND] = leaks.encoded()
    if not report.passed:
        return
    if fails and known is not None:
        report.outcome = "skipped"
        vars(report)["wasxfail"] = f"{known} {HEADER} {leaks}".strip()
    elif fails:
        path, line, _ = report.location
        report.outcome = "failed"
        report.longrepr = longrepr(
            [HEADER, *leaks.lines], path, line or 0, f"{HEADER} {' '.join(leaks.lines[:2])}"
        )
        vars(report).pop("wasxfail", None)
    else:
        report.sections.append((_SECTION, json.dumps(leaks)))


def give_failure(report: pytest.TestReport, others: Iterable[pytest.TestReport]) -> None:
    """Have a report say that its phase has failed in a repetition, although it passed now."""
    for other in others:
        if other.when == report.when and other.failed and report.passed:
            report.outcome, report.longrepr = other.outcome, other.longrepr
            report.sections.append(("leaks", "It failed when it was repeated, and passed after."))


def status(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Return how the terminal shows the report of a call that has leaked, None if it has not."""
    if report.when == "call" and _leaks_of(report) is not None:
        if report.passed:
            return "leaked", "L", "LEAKED"
        if report.failed and HEADER in str(report.longrepr):
            return "failed", "L", "LEAKED"
    return None


def write_summary(reporter: pytest.TerminalReporter) -> None:
    """List the tests that have leaked, a line each, as pytest-leaks does."""
    lines = list(_summary(reporter.stats.values()))
    if lines:
        reporter.write_sep("=", "leaks summary", cyan=True)
        for line in lines:
            reporter.write_line(line)


def _summary(stats: Iterable[Sequence[object]]) -> Iterator[str]:
    for reports in stats:
        for report in reports:
            if isinstance(report, pytest.TestReport) and (leaks := _leaks_of(report)) is not None:
                named = f" ({'; '.join(leaks.names[:_MOST_NAMES])})" if leaks.names else ""
                yield f"{report.nodeid}: {leaks}{named}"


def _leaks_of(report: pytest.TestReport) -> Leaks | None:
    values = getattr(report, LEAKS_FOUND, None)
    return None if values is None else Leaks.decoded(values)
