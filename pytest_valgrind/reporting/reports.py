"""Findings in words: in a test's failure, the header and the summary."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from _pytest._code.code import (
    ReprEntryNative,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)

from pytest_valgrind.findings.finding import (
    Caller,
    Finding,
    Frame,
    Kind,
    Owner,
    PythonLine,
    Stack,
    counted,
    plural,
)
from pytest_valgrind.findings.verdict import Outcome, Verdict, crashed

if TYPE_CHECKING:
    from pytest_valgrind.findings.crash import Crash

_EXCERPT = "valgrind log"
#: A subinterpreter, say, loses thousands of blocks in as many ways.
_MOST_IN_FULL = 20
#: Of a run of frames that are not the extension's, these many at the top are shown.
_SHOWN_OF_A_RUN = 2
#: More tests than this are not named one by one.
_MOST_NAMED = 10
#: Frames that are shown, whatever is above and below them.
_MARKS = {Owner.EXTENSION: ">", Owner.LIBRARY: " ", Owner.PYTHON: "py"}
#: Of those to which references were lost.
_MOST_OBJECTS = 5

_PHASES = {
    "setup": "during setup",
    "call": "during the call",
    "teardown": "during teardown",
    "gc": "by the garbage collection after the test",
    "import": "during collection",
    "interrupted": "before the test was interrupted",
}


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
    own_failures = [made for made in reports if made.failed and made.when == "call"]
    fails_by_itself = report.failed or bool(own_failures)
    is_hidden = False
    if findings:
        # JUnit XML takes a test's properties from the last report.
        reports[-1].user_properties.append(("valgrind", one_line(findings)))
    if verdict.outcome is Outcome.FAILED:
        report.longrepr = _monitor(verdict, findings, report)
        report.outcome = "failed"
        vars(report).pop("wasxfail", None)
    elif verdict.outcome is Outcome.KNOWN:
        report.sections.append((verdict.header, text(verdict, findings)))
        report.sections.append((_EXCERPT, excerpt(findings)))
        if xfail_failures or not fails_by_itself:
            report.longrepr = _monitor(verdict, findings, report)
            monitor = f"{verdict.header} {one_line(findings)}"
            _expect_failures([report, *own_failures], f"{verdict.reason} {monitor}".strip())
            is_hidden = fails_by_itself
    elif xfail_failures and own_failures:
        # A test passes while its subtests fail: pytest would have it fail when it is logged.
        _expect_failures([report, *own_failures], "Error, but valgrind clean, using xfail.")
        is_hidden = True
    return is_hidden


def give_to_fixtures(
    verdict: Verdict, findings: Sequence[Finding], reports: Sequence[pytest.TestReport]
) -> None:
    """Have the set-up or teardown of a test say what is about fixtures that others use as well.

    The test's own outcome is left alone, as when a fixture raises an exception there.

    :param findings: all of one of these two phases.
    """
    phases = (report for report in reports if report.when == findings[0].phase)
    report = next(phases, reports[-1])
    reports[-1].user_properties.append(("valgrind", one_line(findings)))
    if verdict.outcome is Outcome.FAILED:
        report.longrepr = _monitor(verdict, findings, report)
        report.outcome = "failed"
        vars(report).pop("wasxfail", None)
    else:
        report.sections.append((verdict.header, text(verdict, findings)))
        report.sections.append((_EXCERPT, excerpt(findings)))


def of_void_run(hidden: int) -> pytest.CollectReport:
    """Return the report of a session in which no test got to its end.

    :param hidden: how many failed by themselves.
    """
    verdict = Verdict(
        Outcome.FAILED,
        "[VALGRIND]",
        f"No test got to its end, so next to nothing was checked: {plural(hidden, 'test')} failed "
        "without valgrind's doing. --valgrind-failures=report shows why.",
    )
    report = pytest.CollectReport("", "failed", _longrepr(verdict, (), "", 0), result=[])
    vars(report)["when"] = "the end"
    return report


def of_unchecked(nodeids: Sequence[str]) -> pytest.CollectReport:
    """Return the report of tests that ran in processes which were not checked."""
    verdict = Verdict(
        Outcome.FAILED,
        "[VALGRIND]",
        f"{plural(len(nodeids), 'test')} ran in another process, and nothing is known about "
        f"{'it' if len(nodeids) == 1 else 'them'}: {named(nodeids)}. --valgrind-trace-children "
        "checks the processes that tests start and fork.",
    )
    report = pytest.CollectReport("", "failed", _longrepr(verdict, (), "", 0), result=[])
    vars(report)["when"] = "other processes"
    return report


def named(nodeids: Sequence[str]) -> str:
    """Return the names of tests; of many, the first."""
    first = ", ".join(nodeids[:_MOST_NAMED])
    more = len(nodeids) - _MOST_NAMED
    return f"{first} and {more} more" if more > 0 else first


def of_module(nodeid: str, findings: Sequence[Finding]) -> pytest.CollectReport:
    """Return the report of a module that raised errors while it was collected."""
    verdict = Verdict(Outcome.FAILED, "[VALGRIND ERROR]")
    longrepr = _longrepr(verdict, findings, nodeid, 0)
    return pytest.CollectReport(nodeid, "failed", longrepr, result=[])


def of_group(path: str, lines: Sequence[str], findings: Sequence[Finding]) -> pytest.CollectReport:
    """Return the report of leaks of which it is not known which test lost them.

    :param path: of a file with these tests.
    :param lines: what is known.
    """
    verdict = Verdict(Outcome.FAILED, "[VALGRIND LEAK]", "\n".join(lines))
    report = pytest.CollectReport(path, "failed", _longrepr(verdict, findings, path, 0), result=[])
    # It belongs to no test, and so cannot be a test's; the terminal shows this word.
    vars(report)["when"] = "leak check"
    return report


def of_crash(
    nodeid: str, location: tuple[str, int | None, str], crash: Crash, crash_message: str
) -> pytest.TestReport:
    """Return the report of a test in which the process under valgrind died.

    :param crash_message: how and when that was, in sentences.
    """
    path, line, _ = location
    caller = Caller(PythonLine.of_test(location), is_test=True)
    findings = tuple(replace(found, caller=caller) for found in crash.findings)
    longrepr = _of_crash(crash._replace(findings=findings), crash_message, path, line or 0)
    return pytest.TestReport(nodeid, location, {}, "failed", longrepr, "call")


def of_process(path: str, crash: Crash, crash_message: str) -> pytest.CollectReport:
    """Return the report of a death of the process that did not happen in a test.

    :param path: of the file with which it had to do last.
    :param crash_message: how and when that was, in sentences.
    """
    longrepr = _of_crash(crash, crash_message, path, 0)
    report = pytest.CollectReport(path, "failed", longrepr, result=[])
    vars(report)["when"] = "the process"
    return report


def of_late(nodeid: str, verdict: Verdict, findings: Sequence[Finding]) -> pytest.CollectReport:
    """Return the report of what came to be known when the reports of a test had been logged."""
    path = nodeid.partition("::")[0]
    if any(finding.kind is Kind.OPEN_DESCRIPTOR for finding in findings):
        reason = f"Opened in {nodeid}, and still open when all fixtures had been torn down."
        when = "open descriptor"
    else:
        reason = f"By child processes of {nodeid} that outlived it."
        when = "child process"
    longrepr = _longrepr(verdict._replace(reason=reason), findings, path, 0)
    report = pytest.CollectReport(nodeid, "failed", longrepr, result=[])
    vars(report)["when"] = when
    return report


def text(verdict: Verdict, findings: Iterable[Finding]) -> str:
    """Return a test's findings, rendered for people; where there are many, the first in full."""
    parts = [verdict.header]
    if verdict.outcome is Outcome.FAILED and verdict.reason:
        parts.append(verdict.reason)
    findings = list(findings)
    parts.extend(dict.fromkeys(finding.doubt for finding in findings if finding.doubt))
    parts.extend("\n".join(rendered(finding)) for finding in findings[:_MOST_IN_FULL])
    if rest := findings[_MOST_IN_FULL:]:
        parts.append("\n".join(one_line([finding]) for finding in rest))
    if paths := set().union(*(finding.objects_without_source for finding in findings)):
        parts.append("\n".join(["Without debug information:", *(f"  {p}" for p in sorted(paths))]))
    return "\n\n".join(parts)


def rendered(finding: Finding) -> Iterator[str]:
    """Return a finding as lines: what, how much, when, and from where."""
    details = []
    if finding.process:
        details.append(f"in child process {finding.process}")
    if finding.count > 1:
        details.append(finding.size)
    if finding.fixture:
        details.append(f"in {finding.fixture}")
    elif not finding.kind.is_leak and finding.phase:
        details.append(_PHASES[finding.phase])
    if finding.shown_in:
        details.append(f"first seen in {finding.shown_in}")
    yield _message(finding) + (f"  ({', '.join(details)})" if details else "")
    if sum(finding.types.values()) > 1:
        yield f"  {counted(finding.types)}"
    yield from (f"  {thing}" for thing in finding.objects[:_MOST_OBJECTS])
    yield from stack_lines(finding.stack)
    # Where lines are known, or functions, these say more.
    names_caller = not (finding.python or finding.has_python_frames)
    if finding.caller and names_caller:
        yield f"  {finding.caller}"
    for further in finding.further:
        yield f"  {further.caption}"
        yield from stack_lines(further.stack)
        if further.caller and names_caller:
            yield f"  {further.caller}"
    yield from _python_lines(finding)


def stack_lines(stack: Stack) -> Iterator[str]:
    """Return a stack as lines: the extension's frames marked, runs of others folded."""
    run: list[Frame] = []
    # What the interpreter does between its functions is not of interest where they are known.
    has_python = any(frame.owner is Owner.PYTHON for frame in stack)
    for frame in stack:
        if frame.owner in _MARKS:
            yield from _run_lines(run)
            run = []
            yield f"  {_MARKS[frame.owner]} {frame}"
            if frame.owner in (Owner.EXTENSION, Owner.PYTHON):
                yield from _source(frame.path, frame.line)
        elif frame.owner is not Owner.CHECKER and not (has_python and _is_filler(frame)):
            run.append(frame)
    yield from _run_lines(run)


def _is_filler(frame: Frame) -> bool:
    return frame.owner in (Owner.INTERPRETER, Owner.GENERATED, Owner.UNKNOWN)


def one_line(findings: Iterable[Finding]) -> str:
    """Return what was found in a few words each."""
    findings = list(findings)
    more = f"; and {len(findings) - _MOST_IN_FULL:,} more" if len(findings) > _MOST_IN_FULL else ""
    words = "; ".join(
        f"{finding.kind.value}{_size(finding)}: {_culprit(finding)}{_where(finding)}"
        for finding in findings[:_MOST_IN_FULL]
    )
    return f"{words}{more}"


def _where(finding: Finding) -> str:
    process = f", in child process {finding.pid}" if finding.process else ""
    return f"{process}, in {finding.fixture}" if finding.fixture else process


def _culprit(finding: Finding) -> str:
    frame = finding.innermost
    if finding.kind is Kind.OPEN_DESCRIPTOR and frame and frame.owner not in _MARKS:
        return finding.message.removeprefix("Open ")
    if not finding.types:
        return frame.in_short if frame else finding.message
    is_one = sum(finding.types.values()) == 1
    named = next(iter(finding.types)) if is_one else counted(finding.types)
    if frame is None or frame.owner not in (Owner.EXTENSION, Owner.LIBRARY):
        return named
    return f"{named}, {frame.in_short}"


def excerpt(findings: Iterable[Finding]) -> str:
    """Return the part of valgrind's log of those findings that are shown in full."""
    shown = list(findings)[:_MOST_IN_FULL]
    return "\n\n".join(finding.raw for finding in shown if finding.raw)


def total_line(findings: Sequence[Finding]) -> str:
    """Return the totals of findings, empty if there are none."""
    kinds = Counter(finding.kind for finding in findings)
    crashes = kinds[Kind.FATAL_SIGNAL]
    open_descriptors = sum(
        finding.count for finding in findings if finding.kind is Kind.OPEN_DESCRIPTOR
    )
    # As often as it occurred; what a process died of is not counted by valgrind.
    errors = sum(finding.count for finding in findings if finding.kind.is_counted) - crashes
    parts = [
        plural(number, noun)
        for number, noun in (
            (kinds[Kind.TIMEOUT], "timeout"),
            (crashes, "fatal signal"),
            (errors, "error"),
            (open_descriptors, "open descriptor"),
        )
        if number
    ]
    if leaks := [finding for finding in findings if finding.kind.is_leak]:
        lost = plural(sum(leak.bytes for leak in leaks), "byte")
        blocks = plural(sum(leak.blocks for leak in leaks), "block")
        parts.append(f"{plural(len(leaks), 'leak')} ({lost} in {blocks})")
    return ", ".join(parts)


def _python_lines(finding: Finding) -> Iterator[str]:
    if finding.python_note:
        yield f"  no line of Python is known: {finding.python_note}"
    if not finding.python:
        return
    yield "  in Python, by running the test once more, the most recent call first:"
    for line in finding.python:
        yield f"  > {line}"
        yield from _source(line.file, line.line)


def _source(file: str | None, line: int | None) -> Iterator[str]:
    """Return the line of a source file, if it is at hand."""
    if file and line and (text := linecache.getline(file, line).strip()):
        yield f"      {text}"


def _message(finding: Finding) -> str:
    if finding.kind.is_leak and finding.stack:
        message = f"{finding.size} {'is' if finding.blocks == 1 else 'are'} {finding.kind.value}"
        return f"{message}, allocated in {finding.made_in}" if finding.made_in else message
    return finding.message


def _size(finding: Finding) -> str:
    if finding.kind.is_leak:
        return f" {finding.size}"
    return f" {finding.size}" if finding.count > 1 else ""


def _run_lines(run: list[Frame]) -> Iterator[str]:
    if len(run) <= _SHOWN_OF_A_RUN + 1:
        shown, folded = run, 0
    else:
        shown, folded = run[:_SHOWN_OF_A_RUN], len(run) - _SHOWN_OF_A_RUN
    for frame in shown:
        yield f"    {frame}"
    if folded:
        yield f"    ... {folded} more frames of the interpreter"


def _monitor(
    verdict: Verdict, findings: Sequence[Finding], report: pytest.TestReport
) -> ReprExceptionInfo:
    path, line, _ = report.location
    longrepr = _longrepr(verdict, findings, path, line or 0)
    if report.failed:
        longrepr.addsection("the test's own failure", str(report.longrepr))
    return longrepr


def _of_crash(crash: Crash, crash_message: str, path: str, line: int) -> ReprExceptionInfo:
    verdict = crashed(crash_message, hung=crash.hung)
    longrepr = _longrepr(verdict, crash.findings, path, line)
    message = f"{verdict.header} {crash.words}"
    if crash.findings:
        message += f": {one_line(crash.findings)}"
    longrepr.reprcrash = ReprFileLocation(path, line + 1, message)
    longrepr.addsection("valgrind's log", crash.log)
    return longrepr


def _longrepr(
    verdict: Verdict, findings: Sequence[Finding], path: str, line: int
) -> ReprExceptionInfo:
    """Return a representation that pytest's own plugins and pytest-xdist understand."""
    message = f"{verdict.header} {one_line(findings) or verdict.reason}"
    lines = [f"{text_line}\n" for text_line in text(verdict, findings).splitlines()]
    longrepr = ReprExceptionInfo(
        reprtraceback=ReprTraceback([ReprEntryNative(lines)], None, style="native"),
        reprcrash=ReprFileLocation(path, line + 1, message),
    )
    if findings:
        longrepr.addsection(_EXCERPT, excerpt(findings))
    return longrepr


def main_report(reports: Sequence[pytest.TestReport]) -> pytest.TestReport:
    """Return the report of a test's call, or else of its set-up."""
    # Those of subtests come before the test's own.
    calls = [report for report in reports if report.when == "call"]
    return calls[-1] if calls else reports[0]


def _expect_failures(reports: Iterable[pytest.TestReport], reason: str) -> None:
    for report in reports:
        report.outcome = "skipped"
        vars(report)["wasxfail"] = reason
