"""Descriptors that tests leave open, where valgrind tracks them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from suite import Run, Suite

TESTS = """
import os
import pytest

kept = []

@pytest.fixture(scope="module")
def shared():
    descriptor = os.open("/dev/null", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)

@pytest.fixture(scope="session")
def for_all():
    with open("/dev/null") as file:
        yield file

@pytest.fixture
def leaves():
    kept.append(os.open("/dev/zero", os.O_RDONLY))

def test_first_to_use_what_is_shared(shared, for_all, tmp_path, capfd):
    os.close(os.dup(shared))

def test_forgets(shared):
    kept.append(os.open("/dev/null", os.O_RDONLY))

def test_forgets_a_pipe():
    kept.extend(os.pipe())

def test_fixture_forgets(leaves):
    pass

@pytest.mark.valgrind_known_error(reason="issue 7")
def test_known():
    kept.append(os.open("/dev/null", os.O_RDONLY))

def test_last(for_all):
    pass
"""


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run in which tests leave descriptors open."""
    made = Suite(tmp_path_factory.mktemp("descriptors"), extension)
    made.write("pytest.ini", INI)
    made.write("test_a.py", TESTS)
    return made.run("--valgrind", "--valgrind-args=--track-fds=yes", "--valgrind-strict")


def test_tests_that_left_some_open(tracked: Run) -> None:
    """Each is named, with what it is and where it was opened; others are not."""
    assert tracked.code == pytest.ExitCode.TESTS_FAILED
    assert "6 passed" in tracked.totals
    assert "3 errors" in tracked.totals
    named = [line.partition(":: ")[0].split(": ", 1) for line in tracked.summary if "::" in line]
    assert {name.partition("::")[2]: words.split(":")[0] for name, words in named} == {
        "test_forgets": "open descriptor",
        "test_forgets_a_pipe": "open descriptor 2 times",
        "test_fixture_forgets": "open descriptor",
        "test_known": "open descriptor",
    }
    assert any("4 open descriptors in 3 tests; known ones in 1 test" in x for x in tracked.summary)


def test_evidence(tracked: Run) -> None:
    """It is the stack of the call that opened the descriptor."""
    text = tracked.output
    assert "Opened in test_a.py::test_forgets, and still open" in text
    assert "file descriptor" in text
    assert "os_open" in text


def test_log_is_kept(tracked: Run) -> None:
    """The option asks for it."""
    (log,) = [line.removeprefix("log: ") for line in tracked.summary if line.startswith("log: ")]
    assert Path(log).exists()
