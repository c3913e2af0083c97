"""Crashes, hangs and timeouts with ``--heapcheck``: each is of its test, and the rest is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from crash_rows import KINDS
from heapcheck_runs import lost_bytes, native_suite, run_folder, run_natively, section
from suite import Run

HARMLESS = ("test_before", "test_between", "test_after")
#: Of these there is a Python stack: faulthandler writes it when the signal comes.
WITH_STACK = {
    "test_segmentation_fault": "test_segmentation_fault",
    "test_abort": "test_abort",
    "test_fatal_error": "test_fatal_error",
    "test_floating_point_exception": "test_floating_point_exception",
    "test_setup": "dies_in_setup",
    "test_teardown": "dies_in_teardown",
}
HANGING = (
    *("test_in_python", "test_in_a_lock", "test_in_a_loop", "test_in_the_extension"),
    *("test_that_catches_exceptions", "test_in_setup"),
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run that ends with the first crash."""
    return run_folder("crashes", tmp_path_factory.mktemp("crashes"), extension)


@pytest.fixture(scope="module", params=["--memory-resume", "-n2"])
def goes_on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path
) -> Run:
    """Return a run in which other processes go on."""
    options = [request.param]
    if request.param == "-n2":
        options += ["--max-worker-restart=20"]
    return run_folder("crashes", tmp_path_factory.mktemp("resumed"), extension, *options)


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of tests that hang."""
    directory = tmp_path_factory.mktemp("hanging")
    return run_folder("hanging", directory, extension, "--memory-timeout=2")


def test_crash_is_of_its_test(alone: Run) -> None:
    """Its failure says how the process died, and where in Python."""
    case = alone["test_segmentation_fault"]
    assert case.outcome == "failed"
    assert case.message.startswith("[HEAP CRASH] died of SIGSEGV")
    assert "test_crash_kinds.py" in case.text


def test_outcomes_before_the_crash(alone: Run) -> None:
    """They are not lost."""
    assert alone["test_before"].outcome == "passed"


def test_leak_before_the_crash(alone: Run) -> None:
    """It is known, or it is said that it is not."""
    is_known = alone["test_leak"].outcome == "failed"
    unchecked = "".join(line for line in section(alone) if "not checked for leaks: " in line)
    assert is_known is not ("test_crash_kinds.py::test_leak" in unchecked)


def test_tests_that_did_not_run(alone: Run) -> None:
    """They are named, and what to do about it."""
    (line,) = (line for line in section(alone) if "not run: " in line)
    assert "test_crash_kinds.py::test_between" in line
    assert any("--memory-resume" in line for line in section(alone))


def test_exit_code_after_a_crash(alone: Run) -> None:
    """It is that of failed tests."""
    assert alone.code == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("name", KINDS)
def test_each_crash_is_of_its_test(goes_on: Run, name: str) -> None:
    """Its failure says how the process died."""
    assert goes_on[name].outcome == "failed"
    assert goes_on[name].message.startswith(f"[HEAP CRASH] {KINDS[name]}")


@pytest.mark.parametrize("name", WITH_STACK)
def test_python_stack_of_a_crash(goes_on: Run, name: str) -> None:
    """It is shown down to the function that called into C."""
    assert WITH_STACK[name] in goes_on[name].text


@pytest.mark.parametrize("name", HARMLESS)
def test_all_others_run(goes_on: Run, name: str) -> None:
    """They do, whichever test crashed before or after."""
    assert goes_on[name].outcome == "passed"


def test_leaks_around_crashes(goes_on: Run) -> None:
    """They are found, whether or not the process died later."""
    assert lost_bytes(goes_on["test_leak"].message) == [10]
    assert lost_bytes(goes_on["test_leak_after"].message) == [20]


@pytest.mark.parametrize("name", HANGING)
def test_hanging_test_fails(hanging: Run, name: str) -> None:
    """It is ended after the time that the option says."""
    assert hanging[name].outcome in ("failed", "error")
    assert "[HEAP TIMEOUT]" in hanging[name].message


def test_session_goes_on_after_hangs(hanging: Run) -> None:
    """Tests after one that hangs run, and leaks among them are found."""
    assert hanging["test_last"].outcome == "passed"
    assert lost_bytes(hanging["test_leak_after_a_hang"].message) == [31]


INNER = """
import defective, pytest

def test_free_twice():
    defective.free_twice()

def test_calls_pytest():
    assert pytest.main(["-q", "test_inside.py"]) == 0
    defective.crash()
"""


@pytest.fixture(scope="module")
def after_an_inner_session(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run that crashes when a session inside a test has ended."""
    files = {"test_outer.py": INNER, "test_inside.py": "def test_inside():\n    pass\n"}
    made = native_suite(tmp_path_factory.mktemp("inner"), extension, files)
    return run_natively(made, "test_outer.py")


def test_python_stack_after_an_inner_session(after_an_inner_session: Run) -> None:
    """The session inside sets faulthandler as it was before, and that is mended."""
    case = after_an_inner_session["test_calls_pytest"]
    assert case.message.startswith("[HEAP CRASH] died of SIGSEGV")
    assert re.search(r"py test_calls_pytest \(.*test_outer.py:9\)", case.text)


def test_c_lines_before_a_crash(after_an_inner_session: Run) -> None:
    """They are known at once, as nobody can ask a process that died."""
    assert "> free_twice (defective.c:" in after_an_inner_session["test_free_twice"].text
    assert "no debug information" not in after_an_inner_session.output
