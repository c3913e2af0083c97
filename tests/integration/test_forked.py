"""Tests that run in other processes: what is found there, or that nobody looked."""

from __future__ import annotations

import pytest
from conftest import INI
from forking import FORKING
from suite import PATIENCE, Run, Suite

pytestmark = pytest.mark.slow

TESTS = """
import os
import pytest
from pytest_valgrind.valgrind import access_invalid, create_leak

def test_clean():
    pass

def test_leak():
    create_leak()

def test_error():
    access_invalid()

@pytest.mark.valgrind_known_leak
def test_known():
    create_leak()

def test_dies():
    os.abort()
"""

#: As a plugin does that runs tests in processes of its own.
LOOP = """
import os, pytest
from _pytest.runner import runtestprotocol

def pytest_runtestloop(session):
    for number, item in enumerate(session.items):
        if item.name == "test_in_loop":
            pid = os.fork()
            reports = runtestprotocol(item, log=False) if pid == 0 else []
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            report = pytest.TestReport(item.nodeid, item.location, {}, "passed", None, "call")
            item.ihook.pytest_runtest_logreport(report=report)
        else:
            nextitem = session.items[number + 1] if number + 1 < len(session.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    return True
"""

ELSEWHERE = """
import os
import pytest
from pytest_valgrind.valgrind import create_leak

@pytest.mark.forked
def test_marked():
    create_leak()

def test_in_loop():
    create_leak()

def test_here():
    create_leak()

def test_goes_on():
    # The child returns from here, and runs the rest of the session.
    if pid := os.fork():
        os.waitpid(pid, 0)

def test_after():
    pass
"""


PLUGIN = ("-p", "forking")


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run in which each test runs in a process of its own."""
    directory = tmp_path_factory.mktemp("forked")
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.write("forking.py", FORKING)
    made.write("test_forked.py", TESTS)
    return made.run(*PLUGIN, "--valgrind", "--forked", patience=4 * PATIENCE)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of tests some of which run in other processes, which are not checked."""
    directory = tmp_path_factory.mktemp("elsewhere")
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.write("conftest.py", LOOP)
    made.write("forking.py", FORKING)
    made.write("test_elsewhere.py", ELSEWHERE)
    return made.run(*PLUGIN, "--valgrind", patience=4 * PATIENCE)


@pytest.mark.parametrize(
    ("name", "outcome", "message"),
    [
        ("test_clean", "passed", ""),
        ("test_leak", "failed", "[VALGRIND LEAK] definitely lost 8 bytes in 1 block"),
        ("test_error", "failed", "[VALGRIND ERROR] uninitialised value"),
        ("test_known", "skipped", "[VALGRIND LEAK] definitely lost 8 bytes in 1 block"),
        ("test_dies", "failed", "[VALGRIND ERROR]"),
    ],
)
def test_forked(forked: Run, name: str, outcome: str, message: str) -> None:
    """A test in a process of its own is checked there."""
    case = forked[name]
    assert case.outcome == outcome, forked.output
    assert message in case.message
    assert outcome == "passed" or "in child process" in case.message


def test_summary_of_forked(forked: Run) -> None:
    """All of them count as checked."""
    assert forked.code == pytest.ExitCode.TESTS_FAILED
    assert any("5 tests checked" in line for line in forked.summary), forked.output
    assert "not checked" not in forked.output


def test_unchecked(elsewhere: Run) -> None:
    """Tests that ran where nobody looked are named, and the run fails."""
    assert elsewhere.code == pytest.ExitCode.TESTS_FAILED
    (text,) = (
        case.text for case in elsewhere.cases.values() if "ran in another process" in case.text
    )
    assert "2 tests ran in another process" in text
    assert "::test_marked, test_elsewhere.py::test_in_loop. " in text
    assert "--memory-trace-children" in text
    assert any("2 tests not checked, in another process" in line for line in elsewhere.summary)


def test_fork_that_goes_on(elsewhere: Run) -> None:
    """It takes nothing away from the process that is checked, and says nothing in its name."""
    assert elsewhere["test_here"].message.startswith("[VALGRIND LEAK]")
    assert elsewhere["test_goes_on"].outcome == "passed"
    assert elsewhere["test_after"].outcome == "passed"
    assert elsewhere.output.count("= valgrind =") == 1
    assert "3 tests checked" in "\n".join(elsewhere.summary)
