"""Tests whose process died before they were checked for leaks run again in the next one."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from heapcheck_runs import section
from suite import PATIENCE, Run, Suite

SUITE = """
import defective
import pathlib
import pytest

@pytest.fixture(scope="session")
def shared():
    yield
    print("the end of", shared)

def test_good(shared):
    pass

def test_leak_before(shared):
    defective.leak()

def test_error_once(tmp_path):
    first = pathlib.Path("first")
    if not first.exists():
        first.touch()
        defective.write_after_free()

@pytest.mark.valgrind_known_leak(reason="issue 7")
def test_known_leak():
    defective.leak(40)

def test_segv():
    defective.crash()

def test_leak_between(shared):
    defective.leak(20)

def test_abort():
    defective.abort_process()
"""
OUTCOMES = {
    "test_good": "passed",
    "test_leak_before": "failed",
    "test_error_once": "failed",
    "test_known_leak": "skipped",
    "test_segv": "failed",
    "test_leak_between": "failed",
    "test_abort": "failed",
}


@pytest.fixture(
    scope="module",
    params=[
        ("--heapcheck", "--memory-resume"),
        pytest.param(("--valgrind", "--memory-resume"), marks=pytest.mark.slow),
        pytest.param(("--valgrind", "-n1", "--dist=loadfile"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def goes_on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path
) -> Run:
    """Return a run in which one process after another dies."""
    made = Suite(tmp_path_factory.mktemp("second"), extension)
    made.write("pytest.ini", INI)
    made.write("test_a.py", SUITE)
    return made.run("-v", *request.param, patience=3 * PATIENCE)


def test_outcomes(goes_on: Run) -> None:
    """Each test is there once, and its leaks are known."""
    assert {name: case.outcome for name, case in goes_on.cases.items()} == OUTCOMES
    assert "5 failed, 1 passed, 1 xfailed" in goes_on.totals
    assert goes_on.code == pytest.ExitCode.TESTS_FAILED


def test_leaks(goes_on: Run) -> None:
    """The next run finds those of the tests before a crash."""
    assert "10 bytes in 1 block is definitely lost" in goes_on["test_leak_before"].text
    assert "20 bytes in 1 block is definitely lost" in goes_on["test_leak_between"].text
    assert "issue 7" in goes_on["test_known_leak"].message


def test_error_of_the_first_run(goes_on: Run) -> None:
    """It is not lost where the second has none."""
    message = goes_on["test_error_once"].message
    assert message.startswith(("[HEAP WRITE AFTER FREE]", "[VALGRIND ERROR] invalid write"))


def test_crashes(goes_on: Run) -> None:
    """Each is reported with its test, which does not run again."""
    assert "died of SIGSEGV" in goes_on["test_segv"].message
    assert "died of SIGABRT" in goes_on["test_abort"].message


def test_nothing_is_left_unchecked(goes_on: Run) -> None:
    """The summary counts each test once."""
    summary = goes_on.summary or section(goes_on)
    assert not [line for line in summary if "not checked for leaks" in line]
    (totals,) = [line for line in summary if "tests checked" in line]
    assert totals.endswith("5 tests checked")
    assert sum("::test_leak_before: " in line for line in summary) == 1
