"""What a report says of a test, in paragraphs, of which the terminal shows some in short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.reporting.line import KIND, Line
from pytest_valgrind.reporting.text import MOST_IN_FULL, culprit, in_short, one_line, rendered

# Of a report. Plain values, as pytest-xdist and the journal send nothing else.
_ATTRIBUTE = "memory_paragraphs"


class Paragraph(NamedTuple):
    """Some lines that belong together."""

    lines: tuple[Line, ...]
    #: By which it is recognised in the report of another test; empty if it stands for itself.
    defect: str = ""
    #: What is shown where another test has shown the lines, as far as it is of this test.
    short: tuple[Line, ...] = ()
    #: The words for what is to blame.
    culprit: str = ""


def paragraphs(verdict: Verdict, findings: Iterable[Finding]) -> list[Paragraph]:
    """Return a test's findings, rendered for people; where there are many, the first in full."""
    findings = list(findings)
    made = [Paragraph((Line(verdict.header, KIND),))]
    if verdict.outcome is Outcome.FAILED and verdict.reason:
        made.append(_plain(verdict.reason.splitlines()))
    doubts = dict.fromkeys(finding.doubt for finding in findings if finding.doubt)
    made += [_plain(doubt.splitlines()) for doubt in doubts]
    made += [_of_finding(finding) for finding in findings[:MOST_IN_FULL]]
    if rest := findings[MOST_IN_FULL:]:
        made.append(_plain(one_line([finding]) for finding in rest))
    if paths := set().union(*(finding.objects_without_source for finding in findings)):
        lines = ["Without debug information:", *(f"  {path}" for path in sorted(paths))]
        made.append(_plain(lines)._replace(defect="\n".join(lines)))
    return made


def text(verdict: Verdict, findings: Iterable[Finding]) -> str:
    """Return a test's findings as plain text."""
    return plain(paragraphs(verdict, findings))


def plain(made: Iterable[Paragraph]) -> str:
    """Return paragraphs as they stand in files."""
    return "\n\n".join("\n".join(each.lines) for each in made)


def carry(report: pytest.TestReport | pytest.CollectReport, made: Iterable[Paragraph]) -> None:
    """Have a report carry its paragraphs, wherever it is sent."""
    vars(report)[_ATTRIBUTE] = [
        (_packed(each.lines), each.defect, _packed(each.short), each.culprit) for each in made
    ]


def carried_by(report: object) -> list[Paragraph]:
    """Return the paragraphs that a report carries, none if it is not about findings."""
    values: list[Any] = getattr(report, _ATTRIBUTE, [])
    return [
        Paragraph(_unpacked(lines), defect, _unpacked(short), words)
        for lines, defect, short, words in values
    ]


def _of_finding(finding: Finding) -> Paragraph:
    lines, defect = tuple(rendered(finding)), "\n".join(finding.defect)
    return Paragraph(lines, defect, tuple(in_short(finding)), culprit(finding))


def _plain(lines: Iterable[str]) -> Paragraph:
    return Paragraph(tuple(Line(line) for line in lines))


def _packed(lines: Iterable[Line]) -> list[tuple[str, str]]:
    return [(str(line), line.part) for line in lines]


def _unpacked(values: Iterable[Sequence[str]]) -> tuple[Line, ...]:
    return tuple(Line(line, part) for line, part in values)
