"""Warnings that valgrind's arithmetic provokes."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from suite import Run, Suite

pytestmark = pytest.mark.slow

TESTS = """
import warnings

import numpy
import pytest

def forget():
    numpy.finfo._finfo_cache.clear()

LIMITS = numpy.finfo(numpy.longdouble)

def test_limits():
    forget()
    assert numpy.finfo(numpy.longdouble)

@pytest.mark.filterwarnings("error")
def test_marked():
    forget()
    assert numpy.finfo(numpy.longdouble)

def test_other_warnings():
    with pytest.raises(UserWarning):
        warnings.warn("Signature b'x'", UserWarning)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run in which warnings are errors."""
    pytest.importorskip("numpy")
    directory = tmp_path_factory.mktemp("numpy")
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.write("conftest.py", "import numpy\nnumpy.finfo(numpy.longdouble)\n")
    made.write("test_it.py", TESTS)
    return made.run("--valgrind", "--valgrind-failures=report", "-W", "error")


def test_import_of_numpy(run: Run) -> None:
    """It works from a conftest and from a test module."""
    assert "3 passed" in run.totals


@pytest.mark.parametrize("name", ["test_limits", "test_marked"])
def test_limits_of_longdouble(run: Run, name: str) -> None:
    """The test passes, whatever filters it is marked with."""
    assert run[name].outcome == "passed"


def test_nothing_else_is_ignored(run: Run) -> None:
    """The same words in a warning from elsewhere are still raised."""
    assert run["test_other_warnings"].outcome == "passed"


def test_natively_as_ever(tmp_path: Path) -> None:
    """The plugin ignores nothing where there is no valgrind."""
    made = Suite(tmp_path, tmp_path)
    made.write("pytest.ini", INI)
    made.write(
        "test_it.py",
        "import warnings\n"
        "def test_it():\n"
        '    warnings.warn_explicit("Signature b\'", UserWarning, "", 1, "numpy.core.getlimits")\n',
    )
    assert "1 failed" in made.run("-W", "error").totals
