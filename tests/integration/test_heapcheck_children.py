"""Processes that tests start, with ``--heapcheck``: what is found in them, and on which test."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SUITES
from forking import FORKING
from heapcheck_runs import native_suite, run_natively, section
from suite import Run

TRACE = "--memory-trace-children"
#: By test: the header of its failure, and words that stand in it.
FAILED = {
    "test_python_leak": ("[HEAP LEAK]", "41 bytes in 1 block is definitely lost", "> leak (def"),
    "test_python_leaked_reference": ("[HEAP LEAK]", "str", "definitely lost"),
    "test_python_exits_at_once": ("[HEAP LEAK]", "42 bytes in 1 block", "> leak (defective.c"),
    "test_program_error_and_leak": ("[HEAP LEAK]", "44 bytes in 1 block", "> leak (program.c"),
    "test_program_crash": ("[HEAP ERROR]", "died of SIGSEGV", "main (program.c"),
    "test_program_of_shell": ("[HEAP LEAK]", "44 bytes in 1 block", "> leak (program.c"),
    "test_fork_error": ("[HEAP WRITE AFTER FREE]", "that was freed", "write_after_free (def"),
    "test_fork_leak": ("[HEAP LEAK]", "10 bytes in 1 block", "> leak (defective.c"),
    "test_fork_crash": ("[HEAP ERROR]", "died of SIGSEGV", "> crash (defective.c"),
    "test_fork_of_fork": ("[HEAP LEAK]", "60 bytes in 1 block", "> leak_below (defective.c"),
    "test_grandchild": ("[HEAP LEAK]", "43 bytes in 1 block", "> leak (defective.c"),
    "test_worker_fork_leak": ("[HEAP LEAK]", "10 bytes in 1 block", "> leak (defective.c"),
    "test_worker_spawn_error": ("[HEAP WRITE AFTER FREE]", "that was freed", "write_after_free ("),
    "test_own_and_child": ("[HEAP LEAK]", "17 bytes in 1 block", "44 bytes in 1 block"),
}
PASSED = (
    *("test_python_clean", "test_program_clean", "test_system_clean", "test_terminated_clean"),
    *("test_fork_clean", "test_fork_after_error_clean", "test_workers_clean"),
    "test_clean_at_the_end",
    # A read past the end, and a decision upon what was never written, only valgrind sees.
    *("test_python_error", "test_python_uninitialised", "test_fork_error_of_parent"),
    *("test_worker_fork_error", "test_error"),
    # Its environment has nothing of ours.
    "test_python_without_environment",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, with_program: Path) -> Run:
    """Return a run with all processes reporting."""
    made = native_suite(tmp_path_factory.mktemp("children"), with_program)
    made.copy(SUITES / "children")
    return run_natively(made, TRACE, "-k", "not valgrind_of_its_own")


@pytest.mark.parametrize("name", FAILED)
def test_defect_of_a_child_fails_the_test(run: Run, name: str) -> None:
    """The failure names the child."""
    case = run[name]
    assert case.outcome == "failed"
    header, *words = FAILED[name]
    assert case.text.startswith(header)
    assert "in child process " in case.text
    assert [word for word in words if word not in case.text] == []


@pytest.mark.parametrize("name", PASSED)
def test_others_pass(run: Run, name: str) -> None:
    """Nothing fails for what is not seen, signals, and system programs."""
    assert run[name].outcome == "passed", run[name].text


@pytest.mark.parametrize("name", ["test_known_leak"])
def test_markers_hold_for_children(run: Run, name: str) -> None:
    """They work as for the test itself."""
    assert run[name].outcome == "skipped"
    assert "in child process" in run[name].message


def test_no_other_outcomes(run: Run) -> None:
    """Every test of the suite is accounted for here; the error of one is not seen natively."""
    assert set(run.cases) == {*FAILED, *PASSED, "test_known_leak", "test_known_error"}
    assert run["test_known_error"].outcome == "passed"


def test_child_is_named(run: Run) -> None:
    """Its command says which it is, or that it is a fork."""
    assert "program read_past_end leak)" in run["test_program_error_and_leak"].text
    assert "-c import defective; defective" in run["test_python_leak"].text
    assert "(a fork)" in run["test_fork_leak"].text


def test_summary_counts_children(run: Run) -> None:
    """Those that were ended before their check are named; ours, as addr2line, are none."""
    lines = section(run)
    (line,) = (line for line in lines if line.endswith("child processes of tests checked"))
    assert len(FAILED) < int(line.split()[0]) < 50
    (line,) = (line for line in lines if "not checked for leaks" in line)
    assert "import time; print" in line


PAST_END = """
import ctypes, os, signal

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def fork(work=None, *arguments):
    pid = os.fork()
    if pid == 0:
        if work:
            work(*arguments)
        os._exit(0)
    os.waitpid(pid, 0)

def test_of_parent():
    block = ctypes.c_void_p(libc.malloc(10))
    libc.memset(block, 0, 11)
    fork()
    fork(libc.free, block)
    libc.free(block)

def test_of_fork():
    block = ctypes.c_void_p(libc.malloc(20))
    fork(libc.memset, block, 0, 21)
    libc.free(block)

def write_and_execute():
    block = ctypes.c_void_p(libc.malloc(30))
    libc.memset(block, 0, 31)
    libc.free(block)
    os.execlp("true", "true")

def test_before_another_program():
    fork(write_and_execute)

def test_handler_of_its_own():
    before = signal.signal(signal.SIGABRT, lambda *_: os._exit(7))
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGABRT)
    signal.signal(signal.SIGABRT, before)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""
WAIT = "import os, pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
LATE = f"""
import os, pathlib, subprocess, sys
import pytest

children = []

def start(code):
    code = {WAIT!r} + "import defective\\n" + code
    children.append(subprocess.Popen([sys.executable, "-c", code]))

def test_starts():
    start("defective.write_after_free()")

@pytest.mark.valgrind_known_leak
def test_starts_known():
    start("defective.leak(45)")

def test_waits():
    pathlib.Path("go").touch()
    assert [child.wait() for child in children] == [0, 0]

def test_leaves():
    parent = os.getpid()
    code = f"import os, time\\nwhile os.getppid() == {{parent}}: time.sleep(0.01)"
    subprocess.Popen([sys.executable, "-c", code])
"""
ENDS = """
import os, subprocess, sys

def test_ends_in_a_call():
    code = "def f(n):\\n  import sys\\n  kept = [n]\\n  sys.exit(0) if n == 9 else f(n + 1)\\nf(0)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

def test_dies():
    os.abort()
"""


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run in which children outlive their tests, and these are judged at once."""
    made = native_suite(tmp_path_factory.mktemp("late"), extension, {"test_late.py": LATE})
    return run_natively(made, TRACE, "--memory-leak-check=exact", "-rA")


def test_child_that_outlives_its_test(late: Run) -> None:
    """It is reported at the end, and the run fails."""
    assert late.code == pytest.ExitCode.TESTS_FAILED, late.output
    start = late.output.index("ERROR at child process of ")
    assert "By child processes of test_late.py::test_starts that" in late.output[start:]
    assert "write_after_free (defective.c" in late.output[start:]
    assert "4 passed" in late.totals


def test_known_defect_of_a_child_that_outlives_its_test(late: Run) -> None:
    """The marker of its test covers it."""
    (line,) = (line for line in section(late) if line.startswith("test_late.py::test_starts_known"))
    assert "45 bytes" in line
    assert line.endswith("(known)")


def test_child_that_outlives_all_tests(late: Run) -> None:
    """It is named, as nobody will look at its report."""
    (line,) = (line for line in section(late) if "still runs" in line)
    assert "test_late.py::test_leaves" in line


@pytest.fixture(scope="module")
def past_end(tmp_path_factory: pytest.TempPathFactory, with_program: Path) -> Run:
    """Return a run of tests that write past the ends of blocks."""
    made = native_suite(
        tmp_path_factory.mktemp("past"), with_program, {"test_past_end.py": PAST_END}
    )
    return run_natively(made, TRACE)


def test_block_of_the_parent(past_end: Run) -> None:
    """A fork is told only of what it has overwritten itself."""
    assert "past the end of a block of 10 bytes" in past_end["test_of_parent"].text
    assert "child process" not in past_end["test_of_parent"].text
    assert "past the end of a block of 20 bytes" in past_end["test_of_fork"].text
    assert past_end["test_of_fork"].text.count("in child process") == 1


def test_handlers_of_tests_stay(past_end: Run) -> None:
    """A fork handles a signal as the test has it."""
    assert past_end["test_handler_of_its_own"].outcome == "passed"


def test_program_in_place_of_another(past_end: Run) -> None:
    """What the first one did is reported."""
    assert "30 bytes" in past_end["test_before_another_program"].text


def test_forked_tests(tmp_path: Path, with_program: Path) -> None:
    """With --forked, which asks for it, each test is a child that runs amid pytest."""
    tests = """
import defective
import pytest

def test_clean():
    assert [str(number) for number in range(100)]

def test_leak():
    defective.leak(51)

@pytest.mark.valgrind_known_leak
def test_known():
    defective.leak(52)

def test_fails():
    assert {}
"""
    made = native_suite(tmp_path, with_program, {"forking.py": FORKING, "test_forked.py": tests})
    run = run_natively(made, "-p", "forking", "--forked")
    assert "51 bytes in 1 block is definitely lost  (in child process" in run["test_leak"].text
    assert run["test_known"].outcome == "skipped"
    assert run["test_clean"].outcome == "passed"
    assert "child process" not in run["test_fails"].text
    assert "4 child processes of tests checked" in section(run)


def test_without_the_option(tmp_path: Path, with_program: Path) -> None:
    """Nothing that children do is seen, and they run as ever."""
    made = native_suite(tmp_path, with_program)
    made.copy(SUITES / "children")
    run = run_natively(made, "-k", "python_leak or fork_error or program or known_leak")
    assert {case.outcome for case in run.cases.values()} == {"passed"}, run.output
    assert "child process" not in run.output


def test_workers(tmp_path: Path, with_program: Path) -> None:
    """Each pytest-xdist worker has its own children."""
    pytest.importorskip("xdist")
    made = native_suite(tmp_path, with_program)
    made.copy(SUITES / "children")
    chosen = "test_python_leak or test_python_clean or test_fork or worker or test_program_error"
    run = run_natively(made, TRACE, "-n2", "-k", chosen)
    assert len(run.cases) > 10
    for name, case in run.cases.items():
        assert case.outcome == ("failed" if name in FAILED else "passed"), case.text


def test_crash_after_children(tmp_path: Path, with_program: Path) -> None:
    """What children did is known; an interpreter that ends deep in calls has lost nothing."""
    made = native_suite(tmp_path, with_program, {"test_ends.py": ENDS})
    made.copy(SUITES / "children")
    run = run_natively(made, TRACE, "-k", "test_python_leak or ends or dies", "-p", "no:randomly")
    assert "41 bytes in 1 block" in run["test_python_leak"].text
    assert run["test_ends_in_a_call"].outcome == "passed"
    assert run["test_dies"].message.startswith("[HEAP CRASH] died of SIGABRT")
