"""Findings in words, for people: in full, in a line, and in totals."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pytest_valgrind.findings.finding import Finding, counted, plural
from pytest_valgrind.findings.kind import LEFTOVERS, Kind
from pytest_valgrind.findings.stack import Frame, Owner, Stack
from pytest_valgrind.reporting.line import CULPRIT, KIND, SOURCE, Line

#: One subinterpreter may lose thousands of blocks in as many ways.
MOST_IN_FULL = 20
#: Of a run of frames that are not the extension's, these many at the top are shown.
_SHOWN_OF_A_RUN = 2
#: Frames that are shown, whatever is above and below them.
_MARKS = {Owner.EXTENSION: ">", Owner.LIBRARY: " ", Owner.PYTHON: "py"}
#: Of those to which references were lost.
_MOST_OBJECTS = 5

_PLURALS = {Kind.CHILD_PROCESS: "child processes"}

_PHASES = {
    "setup": "during setup",
    "call": "during the call",
    "teardown": "during teardown",
    "gc": "by the garbage collection after the test",
    "import": "during collection",
    "interrupted": "before the test was interrupted",
}


def rendered(finding: Finding) -> Iterator[Line]:
    """Return a finding as lines: what, how much, when, and from where."""
    yield from _what(finding)
    yield from stack_lines(finding.stack, finding.innermost)
    # Where lines are known, or functions, these say more.
    names_caller = not (finding.python or finding.has_python_frames)
    if finding.caller and names_caller:
        yield Line(f"  {finding.caller}")
    for further in finding.further:
        yield Line(f"  {further.caption}")
        yield from stack_lines(further.stack, finding.innermost)
        if further.caller and names_caller:
            yield Line(f"  {further.caller}")
    yield from _python_lines(finding)


def in_short(finding: Finding) -> Iterator[Line]:
    """Return a finding as lines where its stack is known: what, how much, and in which test."""
    yield from _what(replace(finding, shown_in=""))
    # The outermost is in the test.
    frames = [frame for frame in finding.stack if frame.owner is Owner.PYTHON]
    if finding.python:
        yield Line(f"  py {finding.python[-1]}")
    elif frames:
        yield Line(f"  py {frames[-1]}")
    elif finding.caller:
        yield Line(f"  {finding.caller}")


def _what(finding: Finding) -> Iterator[Line]:
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
    yield Line(_message(finding) + (f"  ({', '.join(details)})" if details else ""), KIND)
    if sum(finding.types.values()) > 1:
        yield Line(f"  {counted(finding.types)}")
    yield from (Line(f"  {thing}") for thing in finding.objects[:_MOST_OBJECTS])


def stack_lines(stack: Stack, blamed: Frame | None = None) -> Iterator[Line]:
    """Return a stack as lines: the extension's frames marked, runs of others folded.

    :param blamed: the frame that is to blame, if it is one of these.
    """
    run: list[Frame] = []
    # What the interpreter does between its functions is not of interest where they are known.
    has_python = any(frame.owner is Owner.PYTHON for frame in stack)
    for frame in stack:
        if frame.owner in _MARKS:
            yield from _run_lines(run, blamed)
            run = []
            # Not one that is equal: a function that calls itself may be there several times.
            yield Line(f"  {_MARKS[frame.owner]} {frame}", CULPRIT if frame is blamed else "")
            if frame.owner in (Owner.EXTENSION, Owner.PYTHON):
                yield from _source(frame.path, frame.line)
        elif frame.owner is not Owner.CHECKER and not (has_python and _is_filler(frame)):
            run.append(frame)
    yield from _run_lines(run, blamed)


def _is_filler(frame: Frame) -> bool:
    return frame.owner in (Owner.INTERPRETER, Owner.GENERATED, Owner.UNKNOWN)


def one_line(findings: Iterable[Finding]) -> str:
    """Return what was found in a few words each."""
    findings = list(findings)
    more = f"; and {len(findings) - MOST_IN_FULL:,} more" if len(findings) > MOST_IN_FULL else ""
    words = "; ".join(
        f"{finding.kind.value}{_size(finding)}: {culprit(finding)}{_where(finding)}"
        for finding in findings[:MOST_IN_FULL]
    )
    return f"{words}{more}"


def _where(finding: Finding) -> str:
    process = f", in child process {finding.pid}" if finding.process else ""
    return f"{process}, in {finding.fixture}" if finding.fixture else process


def culprit(finding: Finding) -> str:
    """Return the words for what is to blame: a frame, the types of objects, what was left."""
    frame = finding.innermost
    if finding.kind.is_leftover:
        words = _leftover(finding)
        return f"{words}, {frame.in_short}" if frame and frame.owner in _MARKS else words
    if not finding.types:
        return frame.in_short if frame else finding.message
    is_one = sum(finding.types.values()) == 1
    named = next(iter(finding.types)) if is_one else counted(finding.types)
    if frame is None or frame.owner not in (Owner.EXTENSION, Owner.LIBRARY):
        return named
    return f"{named}, {frame.in_short}"


def _leftover(finding: Finding) -> str:
    """Return what was left, without the words that its kind has as well."""
    message = finding.message
    if finding.kind is Kind.OPEN_DESCRIPTOR:
        return message.removeprefix("Open ")
    return message.partition(": ")[2] or message


def excerpt(findings: Iterable[Finding]) -> str:
    """Return the part of valgrind's log of those findings that are shown in full."""
    shown = list(findings)[:MOST_IN_FULL]
    return "\n\n".join(finding.raw for finding in shown if finding.raw)


def total_line(findings: Sequence[Finding]) -> str:
    """Return the totals of findings, empty if there are none."""
    kinds = Counter(finding.kind for finding in findings)
    crashes = kinds[Kind.FATAL_SIGNAL]
    # As often as it occurred; what a process died of is not counted by valgrind.
    errors = sum(finding.count for finding in findings if finding.kind.is_counted) - crashes
    parts = [
        plural(number, noun)
        for number, noun in (
            (kinds[Kind.TIMEOUT], "timeout"),
            (crashes, "fatal signal"),
            (errors, "error"),
        )
        if number
    ]
    for kind in LEFTOVERS:
        if left := sum(finding.count for finding in findings if finding.kind is kind):
            parts.append(plural(left, kind.value, _PLURALS.get(kind, "")))
    if leaks := [finding for finding in findings if finding.kind.is_leak]:
        lost = plural(sum(leak.bytes for leak in leaks), "byte")
        blocks = plural(sum(leak.blocks for leak in leaks), "block")
        parts.append(f"{plural(len(leaks), 'leak')} ({lost} in {blocks})")
    return ", ".join(parts)


def _python_lines(finding: Finding) -> Iterator[Line]:
    if finding.python_note:
        yield Line(f"  Python line unknown: {finding.python_note}")
    if not finding.python:
        return
    where = "lost here in Python" if finding.kind.is_leak else "in Python"
    yield Line(f"  {where}, by running the test once more, the most recent call first:")
    for place, line in enumerate(finding.python):
        yield Line(f"  > {line}", "" if place else CULPRIT)
        yield from _source(line.file, line.line)


def _source(file: str | None, line: int | None) -> Iterator[Line]:
    """Return the line of a source file, if it is at hand."""
    if file and line and (text := linecache.getline(file, line).strip()):
        yield Line(f"      {text}", SOURCE)


def _message(finding: Finding) -> str:
    if finding.kind.is_leak and finding.stack:
        message = f"{finding.size} {'is' if finding.blocks == 1 else 'are'} {finding.kind.value}"
        return f"{message}, allocated in {finding.made_in}" if finding.made_in else message
    return finding.message


def _size(finding: Finding) -> str:
    if finding.kind.is_leak:
        return f" {finding.size}"
    return f" {finding.size}" if finding.count > 1 else ""


def _run_lines(run: list[Frame], blamed: Frame | None) -> Iterator[Line]:
    if len(run) <= _SHOWN_OF_A_RUN + 1:
        shown, folded = run, 0
    else:
        shown, folded = run[:_SHOWN_OF_A_RUN], len(run) - _SHOWN_OF_A_RUN
    for frame in shown:
        yield Line(f"    {frame}", CULPRIT if frame is blamed else "")
    if folded:
        yield Line(f"    ... {folded} more frames of the interpreter")
