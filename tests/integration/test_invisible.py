"""Clones of the process under test: its tests do not see them, and they do not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import INI, SUITES
from suite import PATIENCE, Run, Suite

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def invisible(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Suite:
    """Return the suite that looks for traces of clones."""
    made = Suite(tmp_path_factory.mktemp("invisible"), extension)
    made.write("pytest.ini", INI)
    made.copy(SUITES / "invisible")
    return made


@pytest.fixture(scope="module")
def run(invisible: Suite) -> Run:
    """Return its run."""
    return invisible.run("--valgrind", "--valgrind-failures=report", "-s")


def test_tests_do_not_see_clones(run: Run) -> None:
    """Each test passes, with a clone at work; nothing is found."""
    assert {name: case.outcome for name, case in run.cases.items()} == dict.fromkeys(
        run.cases, "passed"
    )
    assert run.code == pytest.ExitCode.OK, run.output
    checks = next(line for line in run.summary if "leak checks" in line)
    assert int(checks.split()[0]) > len(run.cases) / 2


def test_exit_handlers_run_once(run: Run, invisible: Suite) -> None:
    """The process itself runs them, when it ends."""
    assert run.code == pytest.ExitCode.OK, run.output
    lines = (invisible.directory / "exits").read_text().splitlines()
    assert lines.count("atexit True") == 1
    assert set(lines) <= {"atexit True", "finaliser True"}


def test_buffers_are_written_once(run: Run, invisible: Suite) -> None:
    """The process itself writes them."""
    assert run.code == pytest.ExitCode.OK, run.output
    assert (invisible.directory / "buffered").read_text() == "once\n"


def test_clone_dies_with_the_process(suite: Suite) -> None:
    """It does so even when the process is killed."""
    suite.write(
        "test_long.py",
        "import os, pathlib, time\n"
        "def test_long():\n"
        "    pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "    time.sleep(300)\n",
    )
    pid_file = suite.directory / "pid"
    command = [sys.executable, "-m", "pytest", "--valgrind"]
    with subprocess.Popen(
        command, cwd=suite.directory, env=suite.environment(), stdout=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + PATIENCE
        while not (pid_file.exists() and (pid := pid_file.read_text())):
            assert time.monotonic() < end
            time.sleep(0.1)
        clones = _children(int(pid))
        assert clones
        os.kill(int(pid), signal.SIGKILL)
        process.wait()
    end = time.monotonic() + PATIENCE
    while any(Path("/proc", str(clone)).exists() for clone in clones):
        assert time.monotonic() < end, "the clone is still there"
        time.sleep(0.1)


def _children(parent: int) -> list[int]:
    stats = [(path.parent.name, _stat(path)) for path in Path("/proc").glob("[0-9]*/stat")]
    return [int(name) for name, stat in stats if stat and int(stat.split()[1]) == parent]


def _stat(path: Path) -> str:
    try:
        return path.read_text().rpartition(")")[2]
    except OSError:
        return ""
