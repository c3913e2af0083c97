"""When leaks are looked for, and where: the same is found."""

from __future__ import annotations

import sys

import pytest
from conftest import INI
from suite import Run, Suite

SUITE = """
import defective

def test_leak():
    defective.leak()

def test_clean():
    pass

def test_other_leak():
    defective.leak(20)
"""
FREEZES = """
import gc

def test_not_frozen():
    assert gc.get_freeze_count() == 0
    gc.freeze()

def test_frozen():
    assert gc.get_freeze_count() > 0
"""
FIXTURE = """
import defective, pytest

@pytest.fixture(scope="module")
def kept():
    defective.keep()
    yield
    defective.lose()

def test_before():
    pass

def test_first_to_ask(kept):
    pass

def test_next_to_ask(kept):
    pass
"""
NO_CLONES = """
from pytest_valgrind import client

def clone(*arguments):
    raise OSError(11, "no more processes")

client.clone = clone
"""
MANY_CLONES = """
from pytest_valgrind.memcheck.check_backends import InClone

InClone.share = 1e9  # of the time of the tests: each is a group of its own
"""
DYING_CLONES = """
import os, signal
from pytest_valgrind import client

real = client.clone

def clone(which, waits, *others):
    pid = real(which, True, *others)
    os.kill(pid, signal.SIGKILL)
    return pid

client.clone = clone
"""


def leaks(suite: Suite, *options: str, before: tuple[str, ...] = ()) -> Run:
    """Run a suite in which two tests leak, and see that it is said."""
    suite.write("test_a.py", SUITE)
    run = suite.run("--valgrind", *options, before=before)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "10 bytes in 1 block" in run["test_leak"].text
    assert "20 bytes in 1 block" in run["test_other_leak"].text
    assert run["test_clean"].outcome == "passed"
    assert "2 leaks (30 bytes in 2 blocks) in 2 tests; 3 tests checked" in "".join(run.summary)
    return run


def test_fixture_of_several_tests(suite: Suite) -> None:
    """What it loses at its end belongs to the test that first asked for it."""
    suite.write("test_a.py", FIXTURE)
    run = suite.run("--valgrind")
    assert "50 bytes in 1 block" in run["test_first_to_ask"].text
    assert run["test_next_to_ask"].outcome == "passed"


TUPLES = """
import defective
import pytest

@pytest.mark.parametrize("number", range(12))
def test_tuple(number):
    defective.leak_reference((number, str(number), number))
"""


@pytest.mark.slow
def test_lost_tuples_with_exact_checks(suite: Suite) -> None:
    """Their blocks are not those that the hooks before the test have freed."""
    suite.write("test_a.py", TUPLES)
    run = suite.run("--valgrind", "--valgrind-leak-check=exact", "-v")
    if sys.version_info < (3, 11):
        pytest.xfail("a returned frame of 3.10 stays with its code, and what it pointed to")
    assert "12 failed" in run.totals


@pytest.mark.slow
def test_one_core(suite: Suite) -> None:
    """The check is done in the process itself."""
    run = leaks(suite, before=("taskset", "--cpu-list", "0"))
    assert "in groups of tests (tests wait for each check: one core)" in run.output


@pytest.mark.parametrize("conftest", [NO_CLONES, MANY_CLONES + DYING_CLONES])
@pytest.mark.slow
def test_no_clones(suite: Suite, conftest: str) -> None:
    """Where there can be none, or they are killed, the process itself checks."""
    suite.write("conftest.py", conftest)
    leaks(suite)


@pytest.mark.slow
def test_log_named_after_the_process(suite: Suite) -> None:
    """A clone's own log is read, and removed."""
    suite.write("conftest.py", MANY_CLONES)
    leaks(suite, "--valgrind-log=my %p.log")
    assert len(list(suite.directory.glob("my *.log"))) == 1


@pytest.mark.slow
def test_log_named_after_the_process_with_gdbserver(suite: Suite) -> None:
    """What a clone prints goes into the log of the process then, and is read there."""
    suite.write("test_a.py", "import defective\ndef test_leak(): defective.leak()\n")
    valgrind = ["valgrind", "--num-callers=50", f"--log-file={suite.directory}/vg.%p.log"]
    run = suite.run("--valgrind", before=valgrind, environment={"PYTHONMALLOC": "malloc"})
    assert "10 bytes in 1 block" in run["test_leak"].text
    assert len(list(suite.directory.glob("vg.*.log"))) == 1


@pytest.mark.slow
def test_collector_without_freeze(suite: Suite) -> None:
    """Suites that look at its state find it as they left it."""
    suite.write("test_a.py", FREEZES)
    run = suite.run("--valgrind", "--valgrind-no-freeze", "--valgrind-failures=report")
    assert run.code == pytest.ExitCode.OK, run.output


@pytest.mark.slow
def test_command_line_wins(suite: Suite) -> None:
    """It wins over the ini file, and the summary says what checks cost."""
    suite.write("pytest.ini", f"{INI}valgrind_leak_check = off\n")
    run = leaks(suite, "--valgrind-leak-check=group")
    (line,) = [line for line in run.summary if "leak check" in line]
    assert line.startswith("2 leak checks for 1 group of tests: ")
    assert line.endswith("s with garbage collection")


@pytest.mark.slow
def test_few_callers_lead_to_exact_checks(suite: Suite) -> None:
    """Stacks would not reach the numbers; the header says so."""
    suite.write("test_a.py", "import defective\ndef test_leak(): defective.leak()\n")
    run = suite.run("--valgrind", "--valgrind-args=--num-callers=12")
    (header,) = [line for line in run.output.splitlines() if line.startswith("valgrind: memcheck")]
    assert "leaks after every test (--num-callers=12 is too few" in header
    assert run["test_leak"].outcome == "failed"


@pytest.mark.parametrize(
    "option", ["--no-memcheck", pytest.param("--valgrind-leak-check=off", marks=pytest.mark.slow)]
)
def test_no_leak_check(suite: Suite, option: str) -> None:
    """Both names mean the same."""
    suite.write("test_a.py", "import defective\ndef test_leak(): defective.leak()\n")
    run = suite.run("--valgrind", option)
    assert run.code == pytest.ExitCode.OK
    assert "errors only, no leaks" in run.output
    assert not any("leak check" in line for line in run.summary)
