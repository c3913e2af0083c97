"""Findings and markers make an outcome."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.verdict import Outcome, Verdict, judge
from pytest_valgrind.markers import KNOWN_ERROR, KNOWN_LEAK

ERROR = Finding(Kind.INVALID_READ, "Invalid read of size 1")
LEAK = Finding(Kind.DEFINITE, "8 bytes in 1 blocks are definitely lost", bytes=8, blocks=1)


def verdict(findings: list[Finding], *marked: str, **options: Any) -> Verdict:
    """Judge findings of a test with markers."""
    marks = {name: getattr(pytest.mark, name)(reason=f"why {name}").mark for name in marked}
    return judge(findings, marks.get, **options)


@pytest.mark.parametrize(
    ("findings", "header"),
    [
        ([ERROR], "[VALGRIND ERROR]"),
        ([LEAK], "[VALGRIND LEAK]"),
        ([LEAK, ERROR], "[VALGRIND ERROR+LEAK]"),
    ],
)
def test_header_tells_what_was_found(findings: list[Finding], header: str) -> None:
    """The headers are those of 0.x."""
    assert verdict(findings) == Verdict(Outcome.FAILED, header)


def test_nothing_found() -> None:
    """The outcome is clean."""
    assert verdict([]).outcome is Outcome.CLEAN


@pytest.mark.parametrize(("finding", "marker"), [(ERROR, KNOWN_ERROR), (LEAK, KNOWN_LEAK)])
def test_known_defect(finding: Finding, marker: str) -> None:
    """The reason is the marker's."""
    known = verdict([finding], marker)
    assert (known.outcome, known.reason) == (Outcome.KNOWN, f"why {marker}")


@pytest.mark.parametrize(("finding", "marker"), [(LEAK, KNOWN_ERROR), (ERROR, KNOWN_LEAK)])
def test_marker_of_the_other_kind(finding: Finding, marker: str) -> None:
    """It does not help, and is not used."""
    failed = verdict([finding], marker)
    assert failed.outcome is Outcome.FAILED
    assert failed.unused_markers == (marker,)


def test_both_where_one_is_known() -> None:
    """The header names both, as in 0.x."""
    failed = verdict([ERROR, LEAK], KNOWN_LEAK)
    assert (failed.outcome, failed.header) == (Outcome.FAILED, "[VALGRIND ERROR+LEAK]")


def test_both_known() -> None:
    """Both reasons are given."""
    known = verdict([ERROR, LEAK], KNOWN_LEAK, KNOWN_ERROR)
    assert known.reason == f"why {KNOWN_ERROR}, why {KNOWN_LEAK}"


def test_unused_marker_is_named() -> None:
    """The test does not fail for it."""
    assert verdict([], KNOWN_LEAK) == Verdict(Outcome.CLEAN, unused_markers=(KNOWN_LEAK,))


def test_unused_marker_fails_if_strict() -> None:
    """The failure says what to do."""
    failed = verdict([], KNOWN_LEAK, strict=True)
    assert failed.outcome is Outcome.FAILED
    assert "no such finding" in failed.reason


def test_marker_is_not_unused_in_a_test_that_did_not_run() -> None:
    """A test that was skipped has not had its chance."""
    assert verdict([], KNOWN_LEAK, completed=False, strict=True).outcome is Outcome.CLEAN


def test_known_leak_is_not_unused_without_leak_checks() -> None:
    """Nobody looked."""
    assert not verdict([], KNOWN_LEAK, checked_for_leaks=False, strict=True).unused_markers
