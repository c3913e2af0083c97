"""A run in which every test fails by itself is no green one, though such failures are expected."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ENGINES, INI
from heapcheck_runs import section
from suite import Run, Suite

HAS_SUBTESTS = bool(find_spec("_pytest.subtests") or find_spec("pytest_subtests"))

FAILURES = """
import unittest

import pytest

def test_import():
    import nonexistent

@pytest.mark.skip
def test_skipped():
    pass

class TestCase(unittest.TestCase):
    def test_unittest_subtest(self):
        with self.subTest(number=1):
            assert False
        with self.subTest(number=2):
            pass
        assert False
"""
SUBTESTS = """
def test_subtest(subtests):
    with subtests.test("first"):
        assert False
    with subtests.test("second"):
        pass
    assert False
"""


@pytest.fixture(scope="module", params=ENGINES)
def void(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path
) -> Run:
    """Return the run of a suite in which no test gets to its end."""
    made = Suite(tmp_path_factory.mktemp("void"), extension)
    made.write("pytest.ini", INI)
    made.write("test_failures.py", FAILURES + (SUBTESTS if HAS_SUBTESTS else ""))
    return made.run(request.param, "--memory-failures=xfail", "-rx")


def test_failures_are_expected(void: Run) -> None:
    """Those of subtests are, too."""
    assert set(void.cases) > {"test_import", "test_unittest_subtest", "test_skipped"}
    outcomes = {case.outcome for name, case in void.cases.items() if name.startswith("test_")}
    assert outcomes == {"skipped"}
    assert "valgrind clean" in void["test_unittest_subtest"].message


def test_run_fails(void: Run) -> None:
    """It says nothing about the memory."""
    assert void.code == pytest.ExitCode.TESTS_FAILED
    assert "No test got to its end, so next to nothing was checked" in void.output
    assert "1 error" in void.totals


def test_summary(void: Run) -> None:
    """It says how many failures are not shown, and how to see them."""
    assert "nothing found" not in void.output
    ran = 3 if HAS_SUBTESTS else 2
    summary = void.summary or section(void)
    assert summary[0] == f"no test ran to its end, {ran} tests checked as far as they went"
    assert any(
        line.startswith(f"{ran} tests failed for other reasons and are shown as expected")
        and "--memory-failures=report" in line
        for line in summary
    )
