"""pytest-cov, and whatever else writes files, where the process under valgrind dies."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from suite import Suite

pytest.importorskip("pytest_cov")

import coverage

MODULE = """
def one():
    return 1

def two():
    return 2

def three():
    return 3
"""
TESTS = """
import logging
import os
import module

def test_one():
    logging.warning("in the first test")
    module.one()

def test_two():
    module.two()

def test_dies():
    logging.warning("before the death")
    os.abort()

def test_three():
    logging.warning("in the last test")
    module.three()
"""


def lines(directory: Path) -> set[int]:
    """Return the lines of the module that are covered."""
    data = coverage.CoverageData(str(directory / ".coverage"))
    data.read()
    (path,) = (path for path in data.measured_files() if path.endswith("module.py"))
    return set(data.lines(path) or ())


class Measured:
    """A run of the suite in which a test dies.

    :ivar covered: the lines of the module that are covered.
    :ivar log: what its tests have logged.
    """

    def __init__(self, directory: Path, extension: Path, *options: str) -> None:
        made = Suite(directory, extension)
        made.write("pytest.ini", INI)
        made.write("module.py", MODULE)
        made.write("test_a.py", TESTS)
        measuring = ("--cov=module", "--cov-report=term", "--log-file=tests.log")
        self.run = made.run("--valgrind", *measuring, *options)
        self.covered = lines(directory)
        self.log = (directory / "tests.log").read_text()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Measured:
    """Return the run that ends with the death."""
    return Measured(tmp_path_factory.mktemp("coverage"), extension)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Measured:
    """Return the run in which another process goes on."""
    return Measured(tmp_path_factory.mktemp("coverage"), extension, "--valgrind-resume")


@pytest.mark.slow
def test_coverage_before_a_crash(alone: Measured) -> None:
    """It is reported, and the test whose coverage is lost is named."""
    run = alone.run
    assert {3, 6} <= alone.covered
    assert 9 not in alone.covered
    assert "No data was collected" not in run.output + run.errors
    assert "module.py" in run.output
    (line,) = [line for line in run.summary if "no coverage of" in line]
    assert line == "no coverage of 1 test, lost with the process: test_a.py::test_dies"


@pytest.mark.slow
def test_log_file_before_a_crash(alone: Measured) -> None:
    """What reports the outcomes does not empty it."""
    assert "in the first test" in alone.log
    assert "before the death" in alone.log


@pytest.mark.slow
def test_coverage_of_all_processes(resumed: Measured) -> None:
    """The reports combine it."""
    assert {3, 6, 9} <= resumed.covered
    assert "before the death" in resumed.log
    assert "in the last test" in resumed.log
