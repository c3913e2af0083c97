"""With ``-x`` the session stops where a failure is known, which for an error is at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from suite import Run, Suite

pytestmark = pytest.mark.slow

SUITE = """
import defective
import pytest

def test_clean():
    pass

def test_fails_by_itself():
    assert False

@pytest.mark.valgrind_known_error
def test_known_error():
    defective.read_past_end()

def test_error():
    defective.decide_uninitialised()

def test_after():
    pass
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run that stops at its first failure."""
    made = Suite(tmp_path_factory.mktemp("stopped"), extension)
    made.write("pytest.ini", INI)
    made.write("test_it.py", SUITE)
    return made.run("--valgrind", "-x")


def test_session_stops_at_the_first_error(stopped: Run) -> None:
    """An expected failure does not stop it."""
    assert list(stopped.cases) == [
        "test_clean",
        "test_fails_by_itself",
        "test_known_error",
        "test_error",
    ]
    assert stopped["test_error"].outcome == "failed"
    assert "stopping after 1 failures" in stopped.output
