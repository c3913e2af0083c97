"""Leaks of which the stack does not say in which test of a group they were lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from suite import Run, Suite

UNSETTLED = """
from concurrent.futures import ThreadPoolExecutor

import defective

POOL = ThreadPoolExecutor(1)
defective.keep()

def test_starts_a_thread():
    POOL.submit(int).result()

def test_loses_what_was_there():
    defective.lose()

def test_clean():
    pass

def test_leaks_in_the_thread():
    POOL.submit(defective.leak, 41).result()

def test_leaks_deep():
    defective.leak_deep()

def test_leaks_in_sight():
    defective.leak(42)
"""


def unsettled(tmp_path_factory: pytest.TempPathFactory, extension: Path, *options: str) -> Run:
    """Return a run of the tests above."""
    made = Suite(tmp_path_factory.mktemp("unsettled"), extension)
    made.write("pytest.ini", INI)
    made.write("test_a.py", UNSETTLED)
    made.write("test_b.py", "def test_b(): pass\n")
    return made.run("--valgrind", *options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run that leaves them unsettled."""
    return unsettled(tmp_path_factory, extension)


@pytest.fixture(scope="module")
def rerun(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run that finds out."""
    # Verbosely, as tests of the same defect share a line of the summary else.
    return unsettled(tmp_path_factory, extension, "--valgrind-exact-rerun", "-v")


def test_run_fails(run: Run) -> None:
    """It does, although each of these tests passes."""
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert run.totals.startswith("1 failed, 6 passed, 1 error")


def test_all_is_in_one_report(run: Run) -> None:
    """It says how much was lost, and which test made it."""
    assert "ERROR at leak check of test_b.py" in run.output
    report = run["test_b"].text + "".join(case.text for case in run.cases.values())
    assert "41 bytes in 1 block is definitely lost, allocated in test_a.py::test_starts" in report
    assert "50 bytes in 1 block is definitely lost" in report
    assert "60 bytes in 1 block is definitely lost" in report


def test_tests_of_the_group_are_named(run: Run) -> None:
    """Those that started threads are named, too."""
    assert "One of 7 tests lost this memory" in run.output
    assert "Threads were started by test_a.py::test_starts_a_thread." in run.output


def test_command_that_finds_out(run: Run) -> None:
    """It names whole modules where all of their tests are meant."""
    command = "pytest --valgrind --valgrind-leak-check=exact test_a.py test_b.py"
    assert f"To find out: {command}\n" in run.output


def test_summary(run: Run) -> None:
    """It has a line for each."""
    lines = [line for line in run.summary if line.startswith("one of 7 tests: ")]
    assert len(lines) == 3
    assert any(
        "41 bytes" in line and "allocated in test_a.py::test_starts" in line for line in lines
    )


def test_leak_in_sight_is_settled(run: Run) -> None:
    """Its test fails, as ever."""
    assert "42 bytes" in run["test_leaks_in_sight"].text


@pytest.mark.slow
def test_running_again_finds_the_test(rerun: Run) -> None:
    """It is the one whose thread did it, or whose stack is too deep."""
    lines = "\n".join(rerun.summary)
    assert "test_a.py::test_leaks_in_the_thread: definitely lost 41 bytes" in lines
    assert "test_a.py::test_leaks_deep: definitely lost 60 bytes" in lines
    assert rerun["test_leaks_in_the_thread"].outcome == "failed"
    assert rerun["test_leaks_deep"].outcome == "failed"


@pytest.mark.slow
def test_running_again_reports_nothing_twice(rerun: Run) -> None:
    """Findings of the first run, and the number of tests, stay the same."""
    assert sum("test_leaks_in_sight" in line for line in rerun.summary) == 1
    assert "7 tests checked" in "".join(rerun.summary)
    assert rerun.totals.startswith("3 failed, ")


@pytest.mark.slow
def test_running_again_does_not_find_what_happens_once(rerun: Run) -> None:
    """It stays unsettled."""
    (line,) = [line for line in rerun.summary if line.startswith("one of ")]
    assert "7 tests: definitely lost 50 bytes in 1 block: keep (defective.c" in line
    assert "They were run again one by one, and it did not appear." in rerun.output
