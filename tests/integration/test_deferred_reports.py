"""Reports that wait for the check of their group: complete, in order, whatever happens.

Both engines hold them in the same way; the one that takes half a minute a run does so every night.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ENGINES, INI
from suite import INTERRUPTIBLE, PATIENCE, Run, Suite

TESTS = """
import defective, pytest

def test_clean():
    pass

def test_leak():
    defective.leak()

def test_after():
    pass

@pytest.mark.parametrize("number", range(3))
def test_more(number):
    pass
"""
FLAKY = """
import defective, pytest

runs = []

def test_flaky():
    runs.append(1)
    assert len(runs) == 2

def test_flaky_that_leaks():
    runs.append(1)
    defective.leak()
    assert len(runs) == 4

def test_never():
    assert False

@pytest.mark.flaky(reruns=0)
@pytest.mark.timeout(1, method="signal")
def test_slow():
    import time
    defective.leak(20)
    time.sleep(60)
"""


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Return the option that asks for it."""
    return str(request.param)


@pytest.fixture(scope="module")
def verbose(engine: str, tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run that prints as much as it can."""
    made = Suite(tmp_path_factory.mktemp("verbose"), extension)
    made.write("pytest.ini", INI)
    made.write("test_a.py", TESTS)
    made.write("test_b.py", "def test_b(): pass\n")
    return made.run(engine, "-v", "--durations=0", "--durations-min=0")


def test_verbose_lines_are_in_order(verbose: Run) -> None:
    """Each line has the outcome and the percentage of tests done."""
    lines = re.findall(r"^(test_\w\.py::\S+) (\w+) +\[ *(\d+)%\]$", verbose.output, re.MULTILINE)
    assert lines == [
        ("test_a.py::test_clean", "PASSED", "14"),
        ("test_a.py::test_leak", "FAILED", "28"),
        ("test_a.py::test_after", "PASSED", "42"),
        ("test_a.py::test_more[0]", "PASSED", "57"),
        ("test_a.py::test_more[1]", "PASSED", "71"),
        ("test_a.py::test_more[2]", "PASSED", "85"),
        ("test_b.py::test_b", "PASSED", "100"),
    ]


def test_junit_has_all_tests(verbose: Run) -> None:
    """Each is there once."""
    assert [case.outcome for case in verbose.cases.values()].count("passed") == 6
    assert verbose["test_leak"].outcome == "failed"
    assert verbose.totals.startswith("1 failed, 6 passed")


def test_durations_are_those_of_the_tests(verbose: Run) -> None:
    """All three phases of each test have theirs."""
    assert len(re.findall(r"^[\d.]+s (?:setup|call|teardown) ", verbose.output, re.MULTILINE)) == 21


def test_dots(engine: str, suite: Suite) -> None:
    """With -q they stand in one line, however many files there are."""
    suite.write("test_a.py", TESTS)
    suite.write("test_b.py", "def test_b(): pass\n")
    output = suite.run(engine, "-q").output
    assert re.search(r"^\.F\.\.\.\.\. +\[100%\]$", output, re.MULTILINE), output


def test_maxfail_stops_at_the_first_settled_failure(engine: str, suite: Suite) -> None:
    """The tests that ran by then are reported."""
    suite.write("test_a.py", TESTS)
    run = suite.run(engine, "-x")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert run["test_leak"].outcome == "failed"
    assert run["test_clean"].outcome == "passed"
    assert run.totals.startswith("1 failed")


def test_maxfail_leaves_out_tests(engine: str, suite: Suite) -> None:
    """The session stops as soon as the failure is known."""
    suite.write("test_a.py", TESTS)
    run = suite.run(engine, "-x", "--memory-leak-check=exact")
    assert list(run.cases) == ["test_clean", "test_leak"]
    assert "stopping after 1 failures" in run.output


def test_last_failed(engine: str, suite: Suite) -> None:
    """The cache knows of leaks."""
    suite.write("test_a.py", TESTS)
    suite.run(engine, "-p", "cacheprovider")
    run = suite.run(engine, "-p", "cacheprovider", "--lf")
    assert list(run.cases) == ["test_leak"]


@pytest.fixture(scope="module")
def flaky(engine: str, tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run with pytest-rerunfailures and pytest-timeout at work."""
    made = Suite(tmp_path_factory.mktemp("flaky"), extension, plugins=["timeout"])
    made.write("pytest.ini", INI)
    made.write("test_flaky.py", FLAKY)
    return made.run(
        engine,
        "--reruns=1",
        "--memory-timeout-factor=2",
        "--memory-failures=report",
        "-rR",
    )


def test_repeated_test_passes(flaky: Run) -> None:
    """The failure of its first run is mentioned."""
    assert flaky["test_flaky"].outcome == "passed"
    assert "RERUN test_flaky.py::test_flaky" in flaky.output


def test_repeated_test_that_leaks(flaky: Run) -> None:
    """The leaks of all its runs count."""
    assert flaky["test_flaky_that_leaks"].outcome == "failed"
    assert "20 bytes in 2 blocks" in flaky["test_flaky_that_leaks"].text


def test_test_that_never_passes(flaky: Run) -> None:
    """It fails with its own words."""
    assert "assert False" in flaky["test_never"].text


def test_timeout(flaky: Run) -> None:
    """The failure shows where the test hung, and leaks before it are found."""
    assert flaky["test_slow"].outcome == "failed"
    assert "definitely lost" in flaky["test_slow"].text
    assert "TIMEOUT]" in flaky["test_slow"].text


INTERRUPTED = """
import defective, pytest

def test_leak():
    defective.leak()

def test_stop():
    defective.leak(20)
    defective.read_past_end()
    {stop}

def test_after():
    pass
"""
BROKEN_HOOK = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    if item.name == "test_stop" and call.when == "call":
        raise RuntimeError("a hook is broken")
"""


@pytest.mark.parametrize(
    ("stop", "code", "words"),
    [
        ("raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED, "KeyboardInterrupt"),
        ("pytest.exit('enough')", pytest.ExitCode.INTERRUPTED, "enough"),
        ("raise SystemExit(9)", pytest.ExitCode.TESTS_FAILED, "test_after"),
        ("pass", pytest.ExitCode.INTERNAL_ERROR, "a hook is broken"),
    ],
)
def test_interruption(engine: str, suite: Suite, stop: str, code: int, words: str) -> None:
    """What has run is checked and reported, the interrupted test too."""
    if code == pytest.ExitCode.INTERNAL_ERROR:
        suite.write("conftest.py", BROKEN_HOOK)
    suite.write("test_a.py", INTERRUPTED.format(stop=stop))
    run = suite.run(engine, "-v", "-rA")
    assert run.code == code, run.output
    assert words in run.output + run.errors
    assert "test_a.py::test_leak: definitely lost 10 bytes" in run.output
    assert "test_a.py::test_stop: definitely lost 20 bytes" in run.output
    assert ("test_a.py::test_stop: invalid read" in run.output) == (engine == "--valgrind")
    assert run["test_leak"].outcome == "failed"
    assert run["test_stop"].outcome == "failed"


def test_interrupt_from_the_keyboard(engine: str, suite: Suite) -> None:
    """It reaches the process under valgrind, which reports what it has."""
    suite.write(
        "test_a.py",
        "import defective, pathlib, time\n"
        "def test_leak():\n    defective.leak()\n"
        "def test_long():\n    pathlib.Path('begun').touch()\n    time.sleep(300)\n",
    )
    command = [*INTERRUPTIBLE, sys.executable, "-m", "pytest", engine]
    with subprocess.Popen(
        command,
        cwd=suite.directory,
        env=suite.environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + PATIENCE
        while not (suite.directory / "begun").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "test_a.py::test_leak: definitely lost 10 bytes" in output
