"""Tests that hang, under valgrind: each fails, or ends the process, with both stacks."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from conftest import INI, SUITES
from suite import Run, Suite

from pytest_valgrind.memcheck.parser import HANG

# Natively, tests hang in test_heapcheck_crashes.py and test_deferred_reports.py.
pytestmark = pytest.mark.slow

BY_OPTION = f"{HANG}3 s (--memory-timeout)"
BY_PYTEST_TIMEOUT = f"{HANG}2 s (pytest-timeout's 0.1 s, multiplied by 20)"
HUNG = {
    "test_in_python": (BY_OPTION, "sleep (", "py test_in_python (", "      time.sleep(1000)"),
    "test_in_a_lock": (BY_OPTION, "py test_in_a_lock (", "      lock.acquire()"),
    "test_in_a_loop": (BY_OPTION, "_PyEval_", "py test_in_a_loop ("),
    "test_in_the_extension": (
        BY_OPTION,
        "  > wait_for_signal (defective.c:",
        "      sleep(1000);",
        "py test_in_the_extension (",
        "      defective.wait_for_signal()",
    ),
    "test_that_catches_exceptions": (BY_OPTION, "(during the call)"),
    "test_that_catches_everything": (BY_OPTION, "py test_that_catches_everything ("),
    "test_in_setup": (BY_OPTION, "(during setup)", "py slow_to_set_up ("),
    "test_known_leak_that_hangs": (BY_OPTION, "LEAK+TIMEOUT", "32 bytes in 1 block"),
    "test_expected_failure_that_hangs": (BY_OPTION,),
    "test_beyond_its_marker": (BY_PYTEST_TIMEOUT, "py test_beyond_its_marker ("),
    "test_beyond_its_marker_for_the_function": (BY_PYTEST_TIMEOUT,),
}
PASSED = (
    "test_in_time",
    "test_with_time_for_valgrind",
    "test_alarms",
    "test_children",
    "test_last",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of tests/suites/hanging, with timeouts of every kind."""
    made = Suite(tmp_path_factory.mktemp("hanging"), extension, plugins=["timeout"])
    made.write("pytest.ini", f"{INI}valgrind_timeout = 3\n")
    made.copy(SUITES / "hanging")
    return made.run("--valgrind", "--valgrind-failures=report", "--session-timeout=15", "-rA")


@pytest.mark.parametrize("name", HUNG)
def test_hang_fails(run: Run, name: str) -> None:
    """The failure shows where it was, in C and in Python."""
    case = run[name]
    assert case.outcome in ("failed", "error")
    assert "TIMEOUT] timeout: " in case.message
    for words in HUNG[name]:
        assert words in case.text


def test_teardown_that_hangs_as_well(run: Run) -> None:
    """It is ended as well."""
    hangs = [line for line in run.summary if "::test_in_call_and_teardown: timeout: " in line]
    assert len(hangs) == 2
    assert "timeout: test_in_call_and_teardown (" in hangs[0]
    assert "timeout: slow_to_tear_down (" in hangs[1]
    assert f"{BY_OPTION}  (during teardown)" in run.output
    assert run["test_in_call_and_teardown"].outcome == "error"


@pytest.mark.parametrize("name", PASSED)
def test_others_pass(run: Run, name: str) -> None:
    """They pass before and after those that hang, with a session timeout that is multiplied."""
    assert run[name].outcome == "passed", run[name].text


def test_leaks_are_found_between_hangs(run: Run) -> None:
    """The right test has them."""
    case = run["test_leak_after_a_hang"]
    assert "31 bytes in 1 block" in case.text
    assert "[VALGRIND LEAK]" in case.text


def test_other_threads(run: Run) -> None:
    """The failure shows what they were doing, as in a deadlock."""
    text = run["test_in_a_lock"].text
    own, _, others = text.partition("in Python, in thread ")
    assert "py test_in_a_lock (" in own
    assert re.search(r"py keep \(.*\n +stop\.wait\(\)", others)


def test_header(run: Run) -> None:
    """It says how long a test may take."""
    assert "\nvalgrind: a test may take 3 s\n" in run.output


def test_summary(run: Run) -> None:
    """It has a line for each timeout, with the innermost frame, and their number."""
    hangs = [line for line in run.summary if ": timeout: " in line]
    assert len(hangs) == len(HUNG) + 2  # those of the call and the teardown of one
    assert "test_hanging.py::test_in_the_extension: timeout: wait_for_signal (defective.c:" in (
        "\n".join(hangs)
    )
    assert any(line.startswith(f"{len(hangs)} timeouts, 2 leaks") for line in run.summary)


LOOP = """
import defective
def test_before():
    pass
def test_loop():
    defective.loop()
def test_after():
    pass
"""


def test_process_that_does_not_come_back_from_c_ends(suite: Suite) -> None:
    """The report says which test hung, and where, in C and in Python."""
    suite.write("test_it.py", LOOP)
    run = suite.run("--valgrind", "--valgrind-timeout=2")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    case = run["test_loop"]
    assert case.message.startswith("[VALGRIND TIMEOUT] killed: a test timed out")
    text = case.text
    assert f"{HANG}2 s (--memory-timeout)" in text
    assert "  > loop (defective.c:" in text
    assert "  py test_loop (" in text
    assert "      defective.loop()" in text
    assert "SIGABRT" not in text


def test_process_ends_in_the_command_line_of_0x(suite: Suite) -> None:
    """Nobody reports it there, but faulthandler and the log say where it was."""
    suite.write("test_it.py", LOOP)
    run = suite.run(
        "--valgrind",
        "--valgrind-timeout=2",
        before=["valgrind", "--log-file=log"],
        environment={"PYTHONMALLOC": "malloc"},
    )
    assert run.code == -signal.SIGABRT
    assert "in test_loop" in run.errors
    log = (suite.directory / "log").read_text()
    assert re.search(r"timed out after 2 s.*\n(.*\n){3}.*: loop \(", log)


def test_test_that_never_gives_in_ends_the_process(suite: Suite) -> None:
    """It catches every exception that is raised in it."""
    suite.write(
        "test_it.py",
        "import time\n"
        "def test_stubborn():\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(1000)\n"
        "        except BaseException:\n"
        "            pass\n",
    )
    run = suite.run("--valgrind", "--valgrind-timeout=1")
    assert run["test_stubborn"].message.startswith("[VALGRIND TIMEOUT] killed")
    assert "py test_stubborn (" in run["test_stubborn"].text
