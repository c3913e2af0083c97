"""The native session that reports what processes under valgrind did."""

from __future__ import annotations

import marshal
from argparse import Namespace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from suite import launcher

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Judged, Results, Undecided
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.recovery.history import ProcessHistory, failures
from pytest_valgrind.recovery.records import Began, Collected, Ended, Ran, Record
from pytest_valgrind.recovery.replay import replay
from pytest_valgrind.settings import Settings

CRASH = Crash(-6, "died of SIGABRT", (), "", "log")
LOCATION = ("test_a.py", 1, "test")
FAILED = marshal.dumps({"$report_type": "TestReport", "outcome": "failed"})


def test_what_the_last_process_found_in_the_end(
    pytester: pytest.Pytester, settings: Settings
) -> None:
    """It is reported, too: what it did itself is only on the terminal."""
    results = Results()
    verdict = Verdict(Outcome.FAILED, "[VALGRIND ERROR]")
    opened = Finding(Kind.OPEN_DESCRIPTOR, "Open file descriptor 3: /dev/null")
    results.late.append(Judged("test_a.py::test_late", verdict, [opened]))
    lost = Finding(Kind.DEFINITE, "8 bytes", bytes=8, blocks=1)
    results.undecided.append(Undecided(lost, ("test_b.py::test_one", "test_b.py::test_two")))
    dead = ProcessHistory([Collected((("a", LOCATION),)), Began(0, "a", LOCATION), CRASH])
    last = ProcessHistory([Ended(results, (), "")])
    code = replay(
        [dead, last],
        settings,
        launcher(pytester.path, Namespace()),
        ["--junitxml=junit.xml", "-p", "no:cacheprovider"],
    )
    assert code == pytest.ExitCode.TESTS_FAILED
    text = ElementTree.tostring(ElementTree.parse(Path("junit.xml")).getroot(), "unicode")
    assert "Opened in test_a.py::test_late" in text
    assert "One of these tests lost this memory: test_b.py::test_one, test_b.py::test_two." in text


def test_failures_before_a_crash() -> None:
    """The crash itself counts, as -x counts it."""
    records: list[Record] = [Began(0, "a", LOCATION), Ran(0, (FAILED,))]
    assert failures([ProcessHistory([*records, Began(1, "b", LOCATION), CRASH])]) == 2
