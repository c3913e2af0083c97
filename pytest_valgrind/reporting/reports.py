"""Verdicts in pytest's reports: of a test, of a module, of what belongs to no test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Caller, PythonLine
from pytest_valgrind.findings.verdict import Outcome, Verdict, crashed
from pytest_valgrind.pytest_internals import Longrepr, longrepr, show_as
from pytest_valgrind.reporting.attributes import problems_of
from pytest_valgrind.reporting.paragraphs import carried_by, carry, paragraphs, plain, text
from pytest_valgrind.reporting.text import excerpt, one_line

if TYPE_CHECKING:
    from pytest_valgrind.findings.crash import Crash

    _Report = pytest.TestReport | pytest.CollectReport

_EXCERPT = "valgrind log"
_WHOLE_LOG = "valgrind's log"
#: The sections of a report that are about valgrind's log.
LOGS = (_EXCERPT, _WHOLE_LOG)
#: Of a report, if the test leaks when it is repeated (hunt/reports.py): what has grown.
LEAKS_FOUND = "leaks_found"
#: More tests than this are not named one by one.
_MOST_NAMED = 10


def give(
    verdict: Verdict,
    findings: Sequence[Finding],
    reports: Sequence[pytest.TestReport],
    *,
    xfail_failures: bool,
) -> bool:
    """Change a test's reports so that they say the verdict.

    :param xfail_failures: whether an ordinary failure becomes an expected one, as in 0.x.
    :return: whether the test failed by itself, and this is not shown as a failure any more.
    """
    report = main_report(reports)
    own_failures = [
        made
        for made in reports
        if made.failed and made.when == "call" and not _is_failed_by_another_check(made)
    ]
    fails_by_itself = report.failed or bool(own_failures)
    is_hidden = False
    if findings:
        # JUnit XML takes a test's properties from the last report.
        reports[-1].user_properties.append((verdict.property_name, one_line(findings)))
    if verdict.outcome is Outcome.FAILED:
        _explain_test(report, verdict, findings)
        report.outcome = "failed"
        vars(report).pop("wasxfail", None)
    elif verdict.outcome is Outcome.KNOWN:
        report.sections.append((verdict.header, text(verdict, findings)))
        _add_excerpt(report.sections, findings)
        # A marker of a known defect says nothing of what another check has found.
        may_hide = not _is_failed_by_another_check(report)
        if may_hide and (xfail_failures or not fails_by_itself):
            _explain_test(report, verdict, findings)
            words = f"{verdict.reason} {verdict.header} {one_line(findings)}".strip()
            _expect_failures([report, *own_failures], words)
            is_hidden = fails_by_itself
    elif xfail_failures and own_failures:
        # A test passes while its subtests fail: pytest would have it fail when it is logged.
        _expect_failures([report, *own_failures], "Error, but valgrind clean, using xfail.")
        is_hidden = True
    return is_hidden


def give_to_fixtures(
    verdict: Verdict, findings: Sequence[Finding], reports: Sequence[pytest.TestReport]
) -> None:
    """Have the setup or teardown of a test say what is about fixtures that others use as well.

    The test's own outcome is left alone, as when a fixture raises an exception there.

    :param findings: all of one of these two phases.
    """
    phases = (report for report in reports if report.when == findings[0].phase)
    report = next(phases, reports[-1])
    reports[-1].user_properties.append((verdict.property_name, one_line(findings)))
    if verdict.outcome is Outcome.FAILED:
        _explain_test(report, verdict, findings)
        report.outcome = "failed"
        vars(report).pop("wasxfail", None)
    else:
        report.sections.append((verdict.header, text(verdict, findings)))
        _add_excerpt(report.sections, findings)


def of_void_run(hidden: int, label: str = "VALGRIND") -> pytest.CollectReport:
    """Return the report of a session in which no test got to its end.

    :param hidden: how many failed by themselves.
    """
    verdict = Verdict(
        Outcome.FAILED,
        f"[{label}]",
        f"No test got to its end, so next to nothing was checked: {plural(hidden, 'test')} failed "
        "for other reasons. --memory-failures=report shows why.",
    )
    return show_as(_failed("", verdict), "the end")


def of_blind_run(blindness: str, label: str) -> pytest.CollectReport:
    """Return the report of a session that could not see leaks.

    :param blindness: why that is, as a sentence.
    """
    verdict = Verdict(
        Outcome.FAILED,
        f"[{label}]",
        f"Leaks cannot be seen here. {blindness} --memory-leak-check=off looks for errors only.",
    )
    return show_as(_failed("", verdict), "leak checks")


def of_unchecked(nodeids: Sequence[str], label: str = "VALGRIND") -> pytest.CollectReport:
    """Return the report of tests that ran in processes which were not checked."""
    verdict = Verdict(
        Outcome.FAILED,
        f"[{label}]",
        f"{plural(len(nodeids), 'test')} ran in another process, and nothing is known about "
        f"{'it' if len(nodeids) == 1 else 'them'}: {named(nodeids)}. --memory-trace-children "
        "checks the processes that tests start and fork.",
    )
    return show_as(_failed("", verdict), "other processes")


def named(nodeids: Sequence[str]) -> str:
    """Return the names of tests; of many, the first."""
    first = ", ".join(nodeids[:_MOST_NAMED])
    more = len(nodeids) - _MOST_NAMED
    return f"{first} and {more} more" if more > 0 else first


def of_module(
    nodeid: str, findings: Sequence[Finding], label: str = "VALGRIND"
) -> pytest.CollectReport:
    """Return the report of a module that raised errors while it was collected."""
    verdict = Verdict(Outcome.FAILED, f"[{label} ERROR]")
    return _failed(nodeid, verdict, findings)


def of_group(
    path: str, lines: Sequence[str], findings: Sequence[Finding], label: str = "VALGRIND"
) -> pytest.CollectReport:
    """Return the report of leaks of which it is not known which test lost them.

    :param path: of a file with these tests.
    :param lines: what is known.
    """
    verdict = Verdict(Outcome.FAILED, f"[{label} LEAK]", "\n".join(lines))
    # It belongs to no test, and so cannot be a test's; the terminal shows this word.
    return show_as(_failed(path, verdict, findings), "leak check")


def of_crash(
    nodeid: str, location: tuple[str, int | None, str], crash: Crash, crash_message: str
) -> pytest.TestReport:
    """Return the report of a test in which the process under valgrind died.

    :param crash_message: how and when that was, in sentences.
    """
    path, line, _ = location
    caller = Caller(PythonLine.of_test(location), is_test=True)
    findings = tuple(replace(found, caller=caller) for found in crash.findings)
    report = pytest.TestReport(nodeid, location, {}, "failed", None, "call")
    _explain_crash(report, crash._replace(findings=findings), crash_message, (path, line or 0))
    return report


def take_failure(report: pytest.TestReport, made: pytest.TestReport) -> None:
    """Have a report say what another does."""
    report.longrepr = made.longrepr
    carry(report, carried_by(made))


def of_process(path: str, crash: Crash, crash_message: str) -> pytest.CollectReport:
    """Return the report of a crash of the process that did not happen in a test.

    :param path: of the file with which it had to do last.
    :param crash_message: how and when that was, in sentences.
    """
    report = pytest.CollectReport(path, "failed", None, result=[])
    _explain_crash(report, crash, crash_message, (path, 0))
    return show_as(report, "the process")


def of_late(nodeid: str, verdict: Verdict, findings: Sequence[Finding]) -> pytest.CollectReport:
    """Return the report of what came to be known when the reports of a test had been logged."""
    path = nodeid.partition("::")[0]
    if any(finding.kind is Kind.OPEN_DESCRIPTOR for finding in findings):
        reason = f"Opened in {nodeid}, and still open when all fixtures had been torn down."
        when = "open descriptor"
    elif any(finding.process for finding in findings):
        reason = f"By child processes of {nodeid} that outlived it."
        when = "child process"
    else:
        reason = f"Lost by {nodeid}, and seen when its reports had been logged."
        when = "leak check"
    return show_as(_failed(nodeid, verdict._replace(reason=reason), findings, path), when)


def _failed(
    nodeid: str, verdict: Verdict, findings: Sequence[Finding] = (), path: str | None = None
) -> pytest.CollectReport:
    """Return the report of what is no test.

    :param path: of the file that is to be looked at, if ``nodeid`` is not its path.
    """
    report = pytest.CollectReport(nodeid, "failed", None, result=[])
    _explain(report, verdict, findings, (nodeid if path is None else path, 0))
    return report


def _explain_test(report: pytest.TestReport, verdict: Verdict, findings: Sequence[Finding]) -> None:
    path, line, _ = report.location
    own = str(report.longrepr) if report.failed else ""
    made = _explain(report, verdict, findings, (path, line or 0))
    if own:
        made.addsection("the test's own failure", own)


def _explain_crash(
    report: _Report, crash: Crash, crash_message: str, place: tuple[str, int]
) -> None:
    verdict = crashed(crash_message, hung=crash.hung, label=crash.label)
    message = f"{verdict.header} {crash.words}"
    if crash.findings:
        message += f": {one_line(crash.findings)}"
    made = _explain(report, verdict, crash.findings, place, message=message)
    if crash.log:
        made.addsection(_WHOLE_LOG, crash.log)


def _explain(
    report: _Report,
    verdict: Verdict,
    findings: Sequence[Finding],
    place: tuple[str, int],
    *,
    message: str = "",
) -> Longrepr:
    """Have a report say the verdict, and why; return what it shows.

    :param place: path and line, from 0.
    :param message: all of it in a line, if it is not the findings.
    """
    message = message or f"{verdict.header} {one_line(findings) or verdict.reason}"
    told = paragraphs(verdict, findings)
    carry(report, told)
    report.longrepr = made = longrepr(plain(told).splitlines(), *place, message)
    if shown := excerpt(findings):
        made.addsection(_EXCERPT, shown)
    return made


def main_report(reports: Sequence[pytest.TestReport]) -> pytest.TestReport:
    """Return the report of a test's call, or else of its setup."""
    # Those of subtests come before the test's own.
    calls = [report for report in reports if report.when == "call"]
    return calls[-1] if calls else reports[0]


def _is_failed_by_another_check(report: pytest.TestReport) -> bool:
    """Whether a hunt or a limit has failed a test, which is no failure of its own."""
    return report.failed and (hasattr(report, LEAKS_FOUND) or bool(problems_of(report)))


def _expect_failures(reports: Iterable[pytest.TestReport], reason: str) -> None:
    for report in reports:
        report.outcome = "skipped"
        vars(report)["wasxfail"] = reason


def _add_excerpt(sections: list[tuple[str, str]], findings: Sequence[Finding]) -> None:
    if shown := excerpt(findings):
        sections.append((_EXCERPT, shown))
