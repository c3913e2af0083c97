"""When a finding of the baseline is said to be gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_valgrind.findings.baseline import Baseline, Known
from pytest_valgrind.findings.fingerprint import Identity
from pytest_valgrind.report_files.baseline_update import BaselineUpdate

SAME = Identity("leak", ("make (a.c)",), ())


def gone(known: str, outcome: str = "passed", *checks: str, **found: Any) -> bool:
    """Return whether a leak is gone in a run of one test."""
    baseline = Baseline(Path("base.json"), [Known(known, "heapcheck", SAME)])
    document = {
        "tests": [{"nodeid": "test_a.py::test_x", "outcome": outcome}],
        "findings": [found] if found else [],
    }
    return bool(BaselineUpdate(baseline, document, set(checks or ("heapcheck",))).gone)


@pytest.mark.parametrize("test", ["test_a.py::test_x", "test_a.py"])
def test_what_was_looked_for_is_gone(test: str) -> None:
    """So is what was found at the import of a module."""
    assert gone(test)


@pytest.mark.parametrize("test", ["test_a.py::test_y", "test_b.py", ""])
def test_what_did_not_run_is_not_gone(test: str) -> None:
    """Of a leak without a test it is not known."""
    assert not gone(test)


@pytest.mark.parametrize("outcome", ["skipped", "error"])
def test_what_did_not_come_to_its_end_is_not_gone(outcome: str) -> None:
    assert not gone("test_a.py::test_x", outcome)


def test_what_another_check_found_is_not_gone() -> None:
    assert not gone("test_a.py::test_x", "passed", "hunt", "valgrind")


def test_what_is_there_is_not_gone() -> None:
    same = {"kind": "leak", "frames": ["make (a.c)"], "types": []}
    finding = {
        "status": "baseline",
        "check": "valgrind",
        "kind": "definitely lost",
        "place": "test",
        "tests": ["test_a.py::test_x"],
        "identity": same,
        "title": "",
    }
    assert not gone("test_a.py::test_x", "passed", "heapcheck", **finding)
