"""Workers of pytest-xdist, each under valgrind: the controller knows all that they found."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import INI
from suite import PATIENCE, Run, Suite

pytest.importorskip("xdist")

LEAKS = """
import defective
import pytest

def test_leak():
    defective.leak()

def test_clean():
    pass

@pytest.mark.valgrind_known_leak(reason="issue 7")
def test_known_leak():
    defective.leak(40)

def test_error():
    defective.read_past_end()

def test_failure():
    assert False

def test_other_leak():
    defective.leak(20)
"""
IMPORT = """
import defective
defective.read_past_end()

def test_imported():
    pass
"""
OUTCOMES = {
    "test_leak": "failed",
    "test_clean": "passed",
    "test_known_leak": "skipped",
    "test_error": "failed",
    "test_failure": "skipped",
    "test_other_leak": "failed",
    "test_imported": "passed",
}


def write_suite(made: Suite) -> None:
    """Write a suite in which there is something to be found."""
    made.write("pytest.ini", INI)
    made.write("test_a.py", LEAKS)
    made.write("test_b.py", IMPORT)


@pytest.fixture(scope="module")
def suppressions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the suppressions of the run shall be."""
    return tmp_path_factory.mktemp("suppressions") / "found.supp"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, extension: Path, suppressions: Path) -> Run:
    """Return a run with two workers."""
    made = Suite(tmp_path_factory.mktemp("workers"), extension)
    write_suite(made)
    made.write("unused.supp", "{\n   never\n   Memcheck:Leak\n   fun:no_such_function\n}\n")
    return made.run(
        "--valgrind",
        "-n2",
        f"--valgrind-gen-suppressions={suppressions}",
        "--valgrind-suppressions=unused.supp",
    )


def test_outcomes(workers: Run) -> None:
    """They are the same as without workers."""
    assert {
        name: case.outcome for name, case in workers.cases.items() if name in OUTCOMES
    } == OUTCOMES
    assert workers.code == pytest.ExitCode.TESTS_FAILED


def test_evidence(workers: Run) -> None:
    """It has come to the controller, and stands in JUnit XML."""
    leak = workers["test_leak"]
    assert "10 bytes in 1 block is definitely lost" in leak.text
    assert "  > leak (defective.c:" in leak.text
    assert "leak (defective.c" in leak.properties["valgrind"]
    assert "Invalid read of size" in workers["test_error"].text


def test_known_leak(workers: Run) -> None:
    """The reason is shown."""
    assert "issue 7" in workers["test_known_leak"].message


def test_summary(workers: Run) -> None:
    """It is about the tests of all workers."""
    summary = "\n".join(workers.summary)
    totals = "1 error, 2 leaks (30 bytes in 2 blocks) in 3 tests; 1 error at import"
    assert f"{totals}; known ones in 1 test; 7 tests checked" in summary
    leaks = [line for line in workers.summary if ": leak (defective.c:" in line]
    (line,) = [line for line in leaks if not line.endswith("(known)")]
    assert line.endswith("; the same in 1 more test")
    assert re.search(r"^  the same as in test_a\.py::test_\w*leak: leak ", workers.output, re.M)


def test_error_at_import(workers: Run) -> None:
    """Each worker has imported the module; it is reported once."""
    (line,) = (line for line in workers.summary if "(import)" in line)
    assert line.startswith("test_b.py: invalid read")
    assert workers.output.count("ERROR test_b.py") == 1


def test_suppressions(workers: Run, suppressions: Path) -> None:
    """One file has those for the findings of all workers."""
    text = suppressions.read_text()
    assert "fun:leak\n" in text
    assert "fun:read_past_end" in text
    assert any("suppressions written to" in line for line in workers.summary)


def test_suppression_that_no_worker_used(workers: Run) -> None:
    """It is listed once."""
    assert sum("unused suppression: never" in line for line in workers.summary) == 1


def test_start_is_announced(workers: Run) -> None:
    """A line says it, as it takes long."""
    assert "2 workers will start" in workers.output
    assert "gw0 runs, after" in workers.output
    assert "gw1 runs, after" in workers.output


def test_logs(workers: Run) -> None:
    """That of each worker is named and exists."""
    logs = [Path(line.removeprefix("log: ")) for line in workers.summary if "log: " in line]
    assert len(set(logs)) == 2
    assert all(log.exists() for log in logs)


@pytest.mark.slow
def test_nothing_is_left(suite: Suite) -> None:
    """A worker that found nothing leaves no directory."""
    suite.write("test_a.py", "def test(): pass\n")
    temporary = suite.directory / "tmp"
    temporary.mkdir()
    run = suite.run("--valgrind", "-n1", environment={"TMPDIR": str(temporary)})
    assert run.code == pytest.ExitCode.OK
    assert not list(temporary.glob("pytest-valgrind-*"))


@pytest.mark.slow
def test_crash_at_import(suite: Suite) -> None:
    """It is reported once, and no further worker is started to crash in the same way."""
    suite.write("test_import.py", "import defective\ndefective.crash()\ndef test(): pass\n")
    run = suite.run("--valgrind", "-n2")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert run.output.count("It happened while test_import.py was collected.") == 1
    assert "  > crash (defective.c:" in run.output
    assert "replacing crashed worker" not in run.output


@pytest.mark.slow
def test_crash_at_exit(suite: Suite) -> None:
    """It is reported, although the worker has sent everything to the controller."""
    suite.write(
        "test_exit.py",
        "import atexit, defective\ndef test(): atexit.register(defective.crash)\n",
    )
    run = suite.run("--valgrind", "-n1")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert run["test"].outcome == "passed"
    assert "It happened after the last test" in run.output


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["loadgroup", "loadfile", "loadscope", "worksteal", "each"])
def test_schedulers(suite: Suite, scheduler: str) -> None:
    """Each gets the reports that it expects, in its own order."""
    write_suite(suite)
    run = suite.run("--valgrind", "-n1", f"--dist={scheduler}")
    assert {name: run[name].outcome for name in OUTCOMES} == OUTCOMES


@pytest.mark.slow
def test_pinpoint(suite: Suite) -> None:
    """The worker that ran the test finds its line."""
    suite.write("test_a.py", "import defective\ndef test():\n    defective.read_past_end()\n")
    run = suite.run("--valgrind", "-n1", "--valgrind-pinpoint")
    assert "test_a.py:3 in test" in run["test"].text


@pytest.fixture
def server(suite: Suite) -> Iterator[int]:
    """Return the port of execnet's socket server, in an interpreter of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "execnet.script.socketserver", f"127.0.0.1:{port}"],
        cwd=suite.directory,
        env=suite.environment(options=["--tx"]),
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            # Not accepted as a gateway: that would take the only place there is.
            probe.settimeout(1)
            if _listens(port):
                break
        assert time.monotonic() < end
        time.sleep(0.1)
    yield port
    process.kill()
    process.wait()


def _listens(port: int) -> bool:
    """Whether somebody listens on a port, without connecting to it (proc(5), net/tcp)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return any(int(one[1].split(":")[1], 16) == port and one[3] == "0A" for one in fields)


@pytest.fixture
def remote(suite: Suite) -> Suite:
    """Return a suite that is to be sent to another machine, in a folder of its own."""
    folder = suite.directory / "remote"
    folder.mkdir()
    write_suite(Suite(folder, suite.path))
    return suite


def send(suite: Suite) -> tuple[str, ...]:
    """Return the options that send it there; pytest-xdist needs its whole path."""
    folder = str(suite.directory / "remote")
    return "--dist=load", f"--rsyncdir={folder}", folder


@pytest.mark.slow
def test_socket_server(remote: Suite, server: int) -> None:
    """A server starts the worker under valgrind, in its own process, and sends all back."""
    run = remote.run("--valgrind", f"--tx=socket=127.0.0.1:{server}", *send(remote))
    assert {name: run[name].outcome for name in OUTCOMES} == OUTCOMES
    assert "  > leak (defective.c:" in run["test_leak"].text


@pytest.fixture
def ssh(tmp_path: Path) -> dict[str, str]:
    """Return an environment with an ssh that runs its last argument in a shell, as its server does.

    In another directory: it stands for another machine.
    """
    programs, location = tmp_path / "programs", tmp_path / "home"
    programs.mkdir()
    location.mkdir()
    program = programs / "ssh"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\ncd {location} && exec sh -c "$last"\n')
    program.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}"}


def run_over_ssh(suite: Suite, environment: dict[str, str]) -> Run:
    """Run a suite with one worker on another machine."""
    return suite.run(
        "--valgrind",
        f"--tx=ssh=localhost//python={sys.executable}",
        *send(suite),
        environment=environment,
    )


@pytest.mark.slow
def test_ssh(remote: Suite, ssh: dict[str, str]) -> None:
    """All that the worker found comes back."""
    run = run_over_ssh(remote, ssh)
    assert {name: run[name].outcome for name in OUTCOMES} == OUTCOMES


@pytest.mark.slow
def test_crash_over_ssh(remote: Suite, ssh: dict[str, str]) -> None:
    """What the worker left is read on its own machine."""
    (remote.directory / "remote" / "test_b.py").unlink()
    remote.write("remote/test_a.py", "import os\ndef test_dies(): os.abort()\n")
    run = run_over_ssh(remote, ssh)
    assert run["test_dies"].message.startswith("[VALGRIND CRASH] died of SIGABRT")
