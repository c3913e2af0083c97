"""Uninitialised values upon which only the interpreter decides, and whose they are."""

from __future__ import annotations

import pytest
from conftest import HERE, INI, build_extension
from suite import Run, Suite

pytestmark = pytest.mark.slow

TESTS = """
import ctypes

import flaws
import pytest

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.free.argtypes = [ctypes.c_void_p]

def decide_upon_the_interpreters_own():
    address = LIBC.malloc(8)
    assert ctypes.c_double.from_address(address).value != 42.0
    LIBC.free(address)

def test_files(tmp_path):
    (tmp_path / "file").touch()

def test_clean():
    pass

def test_own():
    decide_upon_the_interpreters_own()

def test_handed_over():
    assert flaws.make_float_of_uninitialised() != 42.0

@pytest.mark.valgrind_known_error(reason="known")
def test_known():
    assert flaws.make_float_of_uninitialised() != 42.0

@pytest.mark.valgrind_known_error
def test_marked_for_nothing():
    decide_upon_the_interpreters_own()

def test_leak_as_well():
    flaws.lose_block()
    assert flaws.make_float_of_uninitialised() != 42.0

def test_error_of_its_own():
    flaws.decide_uninitialised()
"""
AT_IMPORT = """
import flaws

# Not by a comparison: the errors of the tests would be repeated ones.
if flaws.make_float_of_uninitialised():
    pass

def test_nothing():
    pass
"""
#: The machine may be busy.
PATIENCE = 1500
OPTIONS = ("--valgrind", "--valgrind-origins-seconds=1000")


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Return a suite in which the same decision is made upon values of several origins."""
    extension = tmp_path_factory.mktemp("flaws")
    flags = ("-g", "-Wl,--no-as-needed", "-l:libstdc++.so.6")
    build_extension(HERE / "extensions" / "flaws.c", extension, *flags)
    made = Suite(tmp_path_factory.mktemp("origins"), extension)
    made.write("pytest.ini", INI)
    made.write("test_import.py", AT_IMPORT)
    made.write("test_it.py", TESTS)
    return made


@pytest.fixture(scope="module")
def run(origins: Suite) -> Run:
    """Return a run with options that must not be obeyed twice."""
    return origins.run(*OPTIONS, "--basetemp=base", "--maxfail=50", patience=PATIENCE)


def test_value_that_was_handed_over_fails_the_test(run: Run) -> None:
    """Both stacks are shown: of the decision, and of the value's creation."""
    for name in ("test_handed_over", "test_leak_as_well"):
        case = run[name]
        assert case.outcome == "failed"
        assert case.text.startswith("[VALGRIND ERROR]")
        assert "Conditional jump or move depends on uninitialised value(s)" in case.text
        assert "Uninitialised value was created by a heap allocation" in case.text
        assert "  > make_float_of_uninitialised (flaws.c:" in case.text
        assert f"  in {name} (test_it.py:" in case.text


def test_same_decision_upon_a_value_of_the_interpreters_fails_nothing(run: Run) -> None:
    """Valgrind takes the two for one error, and the summary keeps it."""
    assert run["test_own"].outcome == "passed"
    assert run["test_clean"].outcome == "passed"
    (line,) = [line for line in run.summary if line.startswith("interpreter only: ")]
    assert line == "interpreter only: 2 errors"


def test_marker_knows_it(run: Run) -> None:
    """It is an expected failure, and the marker is unused where the value is the interpreter's."""
    assert run["test_known"].outcome == "skipped"
    assert "[VALGRIND ERROR]" in run["test_known"].message
    unused = [line for line in run.summary if line.startswith("test_it.py::test_marked_for")]
    assert len(unused) == 1
    assert not any(line.startswith("test_it.py::test_known: the") for line in run.summary)


def test_import_that_hands_it_over(run: Run) -> None:
    """It is an error of the module."""
    assert "created by a heap allocation" in run["test_import"].text
    assert any("(import)" in line and "test_import.py" in line for line in run.summary)


def test_it_is_said(run: Run) -> None:
    """A line says it while the user waits, and the summary says it again."""
    assert "valgrind: 5 tests once more with --track-origins=yes" in run.output
    (line,) = [line for line in run.summary if "once more" in line]
    assert line == (
        "origins of uninitialised values: 5 tests run once more; an extension created the "
        "value in 3 tests and 1 import"
    )


def test_nothing_is_written_twice(run: Run, origins: Suite) -> None:
    """The XML and the temporary files are those of the first run."""
    assert {"test_clean", "test_error_of_its_own", "test_nothing"} <= {*run.cases}
    assert (origins.directory / "base" / "test_files0" / "file").exists()
