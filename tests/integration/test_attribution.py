"""Who is blamed where a block is made in one place and lost in another, or in a shared fixture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import INI
from suite import Case, Run, Suite

CONFTEST = """
import defective
import pytest

@pytest.fixture(scope="session")
def of_session():
    yield
    defective.leak(36)
"""
FIXTURES = """
import unittest

import defective
import pytest

def setup_module():
    defective.leak(33)

def teardown_module():
    defective.read_past_end()

@pytest.fixture(scope="module")
def leaks_at_end():
    yield
    defective.leak(31)

@pytest.fixture(scope="module", params=[1, 2])
def has_parameters(request):
    yield
    if request.param == 1:
        defective.leak(37)

@pytest.fixture(scope="module")
def holds_a_block():
    defective.keep()
    yield
    defective.lose()

@pytest.fixture(scope="class")
def raises_at_end(request):
    request.addfinalizer(lambda: defective.leak(38))
    yield
    raise ValueError("its own failure")

@pytest.fixture
def of_function():
    yield
    defective.leak(39)

def test_first(of_session, leaks_at_end, holds_a_block):
    pass

def test_params(has_parameters):
    pass

class TestClass:
    def test_in_class(self, raises_at_end):
        pass

def test_own(of_function):
    pass

class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        defective.leak(34)

    @classmethod
    def tearDownClass(cls):
        defective.leak(35)

    def test_one(self):
        pass

    def test_two(self):
        pass

def test_last():
    pass
"""
LATER = """
import defective
import pytest

class Test:
    def test_makes(self):
        defective.keep()

    def test_between(self):
        pass

def test_loses():
    defective.lose()

def test_leaks():
    defective.leak(42)

@pytest.mark.valgrind_known_leak
def test_is_known_to_leak():
    defective.leak(43)

def test_makes_for_ever():
    if not hasattr(defective, "kept"):
        defective.kept = defective.keep()

def test_loses_once():
    if not hasattr(defective, "lost"):
        defective.lost = defective.lose()

def test_end():
    pass
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Suite:
    """Return the suite of all this."""
    made = Suite(tmp_path_factory.mktemp("attribution"), extension)
    made.write("pytest.ini", INI)
    made.write("conftest.py", CONFTEST)
    made.write("test_fixtures.py", FIXTURES)
    made.write("test_later.py", LATER)
    return made


@pytest.fixture(scope="module")
def run(suite: Suite) -> Run:
    """Return its run."""
    return suite.run("--valgrind", "-rA")


@pytest.fixture(scope="module")
def rerun(suite: Suite) -> Run:
    """Return a run that settles what is in doubt."""
    return suite.run("--valgrind", "--valgrind-exact-rerun", "test_later.py")


def line_of(run: Run, words: str) -> str:
    """Return the line of the summary with these words."""
    (line,) = (line for line in run.summary if words in line)
    return line


@pytest.mark.parametrize(
    ("test", "when", "size", "fixture"),
    [
        ("test_first", "setup", 33, "setup_module of test_fixtures.py"),
        ("test_first", "setup", 50, "the setup of fixture holds_a_block (module scope)"),
        ("test_params[2]", "setup", 37, "the teardown of fixture has_parameters (module scope)"),
        ("test_one", "setup", 34, "setUpClass of TestCase"),
        ("test_two", "teardown", 35, "tearDownClass of TestCase"),
        ("test_in_class", "teardown", 38, "the teardown of fixture raises_at_end (class scope)"),
        ("test_last", "teardown", 31, "the teardown of fixture leaks_at_end (module scope)"),
        ("test_end", "teardown", 36, "the teardown of fixture of_session (session scope)"),
    ],
)
def test_leak_of_a_shared_fixture(run: Run, test: str, when: str, size: int, fixture: str) -> None:
    """The fixture is named; only the setup or teardown at which it leaked has an error."""
    case = run[test]
    assert case.outcome == "error"
    assert f"{size} bytes in 1 block is definitely lost  (in {fixture})" in case.text
    assert f"ERROR at {when} of " in run.output
    line = f"::{test}: definitely lost {size} bytes in 1 block: "
    assert line_of(run, line).endswith(f", in {fixture}")
    assert re.search(rf"^PASSED \S+::{re.escape(test)}$", run.output, re.MULTILINE)


def test_error_of_a_shared_fixture(run: Run) -> None:
    """It is reported as a leak of one is."""
    line = line_of(run, "invalid read")
    assert line.startswith("test_fixtures.py::test_last: ")
    assert "alloc'd\n" in run["test_last"].text
    assert line.endswith("in teardown_module of test_fixtures.py")


def test_failure_of_a_shared_fixture(run: Run) -> None:
    """Its own failure stands below the finding."""
    assert "its own failure" in run["test_in_class"].text


def test_leak_of_a_tests_own_fixture(run: Run) -> None:
    """The test itself fails for it."""
    assert run["test_own"].outcome == "failed"
    assert "(in the teardown" not in run["test_own"].text


def test_block_of_a_fixture_is_lost_with_a_doubt(run: Run) -> None:
    """It may be lost in the setup, in the teardown, or in a test between."""
    doubt = "Made here, lost here, in its teardown"
    assert f"{doubt} or in one of test_first to test_later.py::test_end." in run["test_first"].text


def test_maker_is_blamed_with_a_doubt(run: Run) -> None:
    """A sentence says so, which the last test of a group does not need."""
    case: Case = run["test_makes"]
    assert case.outcome == "failed"
    doubt = "Made here, lost here or in one of Test::test_between to test_end."
    assert doubt in case.text
    assert run["test_loses"].outcome == "passed"


def test_totals(run: Run) -> None:
    """Findings in fixtures are not counted as in tests."""
    line = line_of(run, "in fixtures")
    assert "1 error, 8 leaks (294 bytes in 8 blocks) in fixtures; " in line
    assert "16 tests checked" in line


@pytest.mark.slow
def test_loser_is_found(rerun: Run) -> None:
    """The tests run again, from the maker on."""
    assert rerun["test_makes"].outcome == "passed"
    assert rerun["test_loses"].outcome == "failed"
    assert "allocated in test_later.py::Test::test_makes" in rerun["test_loses"].text


@pytest.mark.slow
def test_maker_that_is_the_loser(rerun: Run) -> None:
    """It is blamed, without a doubt."""
    assert rerun["test_leaks"].outcome == "failed"
    assert "Made here" not in rerun["test_leaks"].text


@pytest.mark.slow
def test_marker_of_the_maker_holds(rerun: Run) -> None:
    """It is not run again."""
    assert rerun["test_is_known_to_leak"].outcome == "skipped"


@pytest.mark.slow
def test_what_does_not_appear_again_stays_in_doubt(rerun: Run) -> None:
    """The finding is kept, and fails the run."""
    line = line_of(rerun, "one of 3 tests: ")
    assert line.endswith(", allocated in test_later.py::test_makes_for_ever")
    assert "They were run again one by one, and it did not appear." in rerun.output
    assert rerun.code == pytest.ExitCode.TESTS_FAILED
