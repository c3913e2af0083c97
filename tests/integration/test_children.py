"""Processes that tests start: what is found in them, and on which test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from children_rows import CHOSEN, CHOSEN_PASSED, FAILED, PASSED, SELDOM
from conftest import INI, SUITES
from suite import Run, Suite

TRACE = "--valgrind-trace-children"


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory, with_program: Path) -> Suite:
    """Return the suite that starts processes."""
    made = Suite(tmp_path_factory.mktemp("children"), with_program)
    made.write("pytest.ini", INI)
    made.copy(SUITES / "children")
    return made


@pytest.fixture(scope="module")
def run(children: Suite) -> Run:
    """Return a run of most of its tests with all processes under valgrind."""
    return run_traced(children, f"not ({' or '.join(SELDOM)})")


@pytest.fixture(scope="module")
def run_of_others(children: Suite) -> Run:
    """Return the run of the others."""
    return run_traced(children, " or ".join(SELDOM))


def run_traced(children: Suite, chosen: str) -> Run:
    """Run those of the tests that an expression names (``-k``)."""
    return children.run("--valgrind", TRACE, "--valgrind-failures=report", "-k", chosen)


def assert_fails_for_child(run: Run, name: str) -> None:
    """See that the test which started the child fails, and that the failure names the child."""
    header, what, frame = FAILED[name]
    case = run[name]
    assert case.outcome == "failed"
    assert case.text.startswith(header)
    assert "in child process " in case.text
    assert what in case.text
    assert frame in case.text


@pytest.mark.parametrize("name", CHOSEN)
def test_defect_of_a_child_fails_the_test(run: Run, name: str) -> None:
    """The failure names the child."""
    assert_fails_for_child(run, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAILED if name in SELDOM])
def test_defect_of_another_child_fails_the_test(run_of_others: Run, name: str) -> None:
    """Be it a grandchild or a worker's."""
    assert_fails_for_child(run_of_others, name)


@pytest.mark.parametrize("name", CHOSEN_PASSED)
def test_clean_children(run: Run, name: str) -> None:
    """Nothing fails for an interpreter's losses at its end, signals, and system programs."""
    assert run[name].outcome == "passed", run[name].text


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PASSED if name in SELDOM])
def test_other_clean_children(run_of_others: Run, name: str) -> None:
    """Nor for workers, and a valgrind of the test's own."""
    assert run_of_others[name].outcome == "passed", run_of_others[name].text


@pytest.mark.parametrize("name", ["test_known_error", "test_known_leak"])
def test_markers_hold_for_children(run: Run, name: str) -> None:
    """They work as for the test itself."""
    assert run[name].outcome == "skipped"
    assert "in child process" in run[name].message


def test_error_of_the_test_itself_is_no_childs(run: Run) -> None:
    """A fork inherits the error, and it is reported once."""
    assert run["test_error"].outcome == "failed"
    assert "child process" not in run["test_error"].text


def test_no_other_outcomes(run: Run) -> None:
    """Every test of the suite is accounted for here."""
    others = {"test_known_error", "test_known_leak", "test_error"}
    assert set(run.cases) == {*CHOSEN, *CHOSEN_PASSED, *others}


def test_child_is_named(run: Run) -> None:
    """Its command says which it is, or that it is a fork."""
    assert "program read_past_end leak)" in run["test_program_error_and_leak"].text
    assert "-c import defective; defective" in run["test_python_leak"].text
    assert "(a fork)" in run["test_fork_leak"].text


def test_summary_counts_children(run: Run) -> None:
    """Servers of the standard library, which run to the end, are not mentioned."""
    (line,) = (line for line in run.summary if line.endswith("child processes of tests checked"))
    assert int(line.split()[0]) > len(CHOSEN)
    assert not [line for line in run.summary if "still runs" in line]


@pytest.mark.slow
def test_without_the_option(children: Suite) -> None:
    """Nothing that children do is seen, and they run as ever."""
    own = "not (test_error or own_and_child)"
    run = children.run("--valgrind", "--valgrind-failures=report", "-k", own)
    assert {case.outcome for case in run.cases.values()} == {"passed"}, run.output
    assert "child process" not in run.output


LATE = """
import os, pathlib, subprocess, sys
import pytest

WAIT = "import os, pathlib, time\\nwhile not pathlib.Path('go').exists(): time.sleep(0.1)\\n"
children = []

def start(code):
    children.append(subprocess.Popen([sys.executable, "-c", WAIT + "import defective\\n" + code]))

def test_starts():
    start("defective.read_past_end()")

@pytest.mark.valgrind_known_leak
def test_starts_known():
    start("defective.leak(45)")

def test_waits():
    pathlib.Path("go").touch()
    assert [child.wait() for child in children] == [0, 0]

def test_leaves():
    parent = os.getpid()
    code = f"import os, time\\nwhile os.getppid() == {parent}: time.sleep(0.1)"
    subprocess.Popen([sys.executable, "-c", code])
"""


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run in which children outlive their tests, and these are judged at once."""
    made = Suite(tmp_path_factory.mktemp("late"), extension)
    made.write("pytest.ini", INI)
    made.write("test_late.py", LATE)
    return made.run("--valgrind", TRACE, "--valgrind-leak-check=exact", "-rA")


@pytest.mark.slow
def test_child_that_outlives_its_test(late: Run) -> None:
    """It is reported at the end, and the run fails."""
    assert late.code == pytest.ExitCode.TESTS_FAILED, late.output
    start = late.output.index("ERROR at child process of ")
    assert "By child processes of test_late.py::test_starts that" in late.output[start:]
    assert "> read_past_end (defective.c" in late.output[start:]
    assert "4 passed" in late.totals
    assert "1 error" in late.totals


@pytest.mark.slow
def test_known_defect_of_a_child_that_outlives_its_test(late: Run) -> None:
    """The marker of its test covers it."""
    (line,) = (line for line in late.summary if line.startswith("test_late.py::test_starts_known"))
    assert "45 bytes" in line
    assert line.endswith("(known)")


@pytest.mark.slow
def test_child_that_outlives_all_tests(late: Run) -> None:
    """It is named, as nobody will look at its log."""
    (line,) = (line for line in late.summary if "still runs" in line)
    assert "test_late.py::test_leaves" in line


FEW = """
import os, subprocess, sys
import defective

def test_fork():
    pid = os.fork()
    if pid == 0:
        defective.leak(46)
        os._exit(0)
    os.waitpid(pid, 0)

def test_python():
    subprocess.run([sys.executable, "-c", "import defective; defective.leak(47)"], check=True)

def test_both():
    defective.read_past_end()
    pid = os.fork()
    if pid == 0:
        defective.write_after_free()
        os._exit(0)
    os.waitpid(pid, 0)

def test_clean():
    subprocess.run([sys.executable, "-c", "import json"], check=True)
"""


@pytest.mark.slow
def test_workers(children: Suite) -> None:
    """Each pytest-xdist worker has its own children."""
    pytest.importorskip("xdist")
    chosen = [
        "test_python_leak",
        "test_python_clean",
        "test_program_error_and_leak",
        "test_fork_error",
        "test_fork_clean",
        "test_worker_fork_leak",
        "test_worker_spawn_error",
    ]
    run = children.run("--valgrind", TRACE, "-n2", "-k", " or ".join(chosen))
    assert set(chosen) <= set(run.cases)
    for name, case in run.cases.items():
        assert case.outcome == ("failed" if name in FAILED else "passed"), case.text
        if name in FAILED:
            _, what, frame = FAILED[name]
            assert "in child process " in case.text
            assert what in case.text
            assert frame in case.text


@pytest.mark.slow
def test_crash_after_children(suite: Suite) -> None:
    """Findings in children are known although their test had not been judged."""
    suite.write("test_few.py", f"{FEW}\ndef test_dies():\n    os.abort()\n")
    run = suite.run("--valgrind", TRACE, "-k", "test_python or dies")
    assert "47 bytes in 1 block" in run["test_python"].text
    assert run["test_dies"].message.startswith("[VALGRIND CRASH] died of SIGABRT")


@pytest.mark.slow
def test_command_line_of_valgrind(suite: Suite) -> None:
    """Each process has its log, and the logs stay where they are."""
    suite.write("test_few.py", FEW)
    valgrind = shutil.which("valgrind") or "valgrind"
    log = f"--log-file={suite.directory}/vg.%p.log"
    options = ["--num-callers=50", "--vgdb=no", log]
    environment = {"PYTHONMALLOC": "malloc"}
    run = suite.run(*("--valgrind", TRACE), before=[valgrind, *options], environment=environment)
    assert {name: case.outcome for name, case in run.cases.items()} == {
        "test_fork": "failed",
        "test_python": "failed",
        "test_both": "failed",
        "test_clean": "passed",
    }, run.output
    assert "46 bytes in 1 block" in run["test_fork"].text
    assert "47 bytes in 1 block" in run["test_python"].text
    assert len(list(suite.directory.glob("vg.*.log"))) >= 5


@pytest.mark.slow
def test_pinpoint(suite: Suite) -> None:
    """It concerns what the test itself did, and its further runs are no children."""
    suite.write("test_few.py", FEW)
    run = suite.run("--valgrind", TRACE, "--valgrind-pinpoint", "-k", "both or clean")
    text = run["test_both"].text
    assert "in child process" in text
    assert "test_few.py:16 in test_both" in text
    assert "did not happen again" not in text
    assert run["test_clean"].outcome == "passed"


@pytest.mark.parametrize("by_launcher", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_log_of_several_processes(suite: Suite, *, by_launcher: bool) -> None:
    """It is refused in one sentence, as each process would empty it."""
    suite.write("test_few.py", FEW)
    log = f"--log-file={suite.directory}/vg.log"
    before = [] if by_launcher else ["valgrind", "--vgdb=no", log]
    options = [f"--valgrind-args={log}"] if by_launcher else []
    run = suite.run("--valgrind", TRACE, *options, before=before)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    (sentence,) = (line for line in run.errors.splitlines() if line.startswith("ERROR: "))
    assert "put %p" in sentence
    assert "Traceback" not in run.errors


@pytest.mark.slow
def test_gdbserver(suite: Suite) -> None:
    """It mixes logs, and is refused in one sentence."""
    suite.write("test_few.py", FEW)
    run = suite.run("--valgrind", TRACE, before=["valgrind", "--log-file=vg.%p.log"])
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "add --vgdb=no" in run.errors


@pytest.mark.slow
def test_ini_value(suite: Suite) -> None:
    """It does the same as the option."""
    suite.write("pytest.ini", f"{INI}valgrind_trace_children = true\n")
    suite.write("test_few.py", FEW)
    run = suite.run("--valgrind", "-k", "test_fork")
    assert "46 bytes in 1 block" in run["test_fork"].text
