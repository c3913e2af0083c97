"""Reports on their way from a worker to the controller."""

from __future__ import annotations

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.reporting.line import CULPRIT, KIND
from pytest_valgrind.reporting.paragraphs import carried_by, carry, paragraphs
from pytest_valgrind.workers.worker import packed, unpacked


def report() -> pytest.TestReport:
    """Return a report that says a lot."""
    made = pytest.TestReport(
        "a.py::test",
        ("a.py", 3, "test"),
        {"test": 1},
        "failed",
        "because",
        "call",
        sections=[("Captured stdout call", "words")],
        user_properties=[("valgrind", "leak")],
    )
    made.wasxfail = "reason: issue 7"
    return made


def test_report_comes_back() -> None:
    """It has all that it had."""
    data = packed(report())
    assert data is not None
    made = unpacked(data)
    assert made is not None
    assert vars(made) == vars(report())


def test_paragraphs_come_back() -> None:
    """The controller shows them, which knows nothing else of the findings."""
    frame = Frame(1, "work", "ext.c", 7, owner=Owner.EXTENSION)
    leak = Finding(Kind.DEFINITE, "lost", (frame,), bytes=8, blocks=1)
    told = paragraphs(Verdict(Outcome.FAILED, "[HEAP LEAK]"), [leak])
    sent = report()
    carry(sent, told)
    data = packed(sent)
    assert data is not None
    got = carried_by(unpacked(data))
    assert got == told
    assert [[line.part for line in each.lines] for each in got] == [[KIND], [KIND, CULPRIT]]


def test_what_xdist_adds() -> None:
    """It can be read on the report, as for other plugins."""
    data = packed(report())
    assert data is not None
    made = unpacked({**data, "worker_id": "gw1"})
    assert vars(made)["worker_id"] == "gw1"


def test_report_of_another_kind() -> None:
    """It is packed and unpacked by those who know it."""

    class Other(pytest.TestReport):
        """Of another plugin."""

    other = Other._from_json(report()._to_json())
    assert packed(other) is None
    assert packed(pytest.CollectReport("a.py", "passed", None, [])) is None
    assert unpacked({"$report_type": "Other"}) is None


def test_property_that_cannot_be_sent() -> None:
    """The report is sent as it is, and execnet says what is wrong with it."""
    made = report()
    made.user_properties.append(("lock", lambda: None))
    assert packed(made) is None
