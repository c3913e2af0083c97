"""Signals to a run under valgrind, at each of its stages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from suite import INTERRUPTIBLE, PATIENCE, Suite

CLEAN = "def test_clean():\n    pass\n"


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def memchecks(directory: Path) -> Iterator[list[str]]:
    """Yield the command lines of the memchecks that run with a temporary directory."""
    mark = os.fsencode(f"TMPDIR={directory}\0")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "memcheck" in str((process / "exe").readlink()):
                    yield words
        except OSError:
            continue  # it has ended


def started(suite: Suite, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a run with a temporary directory of its own."""
    temporary = suite.directory / "tmp"
    temporary.mkdir()
    return subprocess.Popen(
        [*INTERRUPTIBLE, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--valgrind"],
        cwd=suite.directory,
        env=suite.environment({"TMPDIR": str(temporary), **environment}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, pytest.ExitCode.INTERRUPTED),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_signal_during_the_self_test(suite: Suite, number: signal.Signals, code: int) -> None:
    """Neither its memcheck nor a file of it is left."""
    suite.write("test_clean.py", CLEAN)
    process = started(suite, {"XDG_CACHE_HOME": str(suite.directory / "cache")})
    temporary = suite.directory / "tmp"
    wait_for(lambda: any("selftest.py" in " ".join(words) for words in memchecks(temporary)))
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "Traceback" not in output
    assert ("Interrupted" in output) == (number == signal.SIGINT)
    wait_for(lambda: not list(memchecks(temporary)))
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_interrupt_while_python_starts(suite: Suite, send: Callable[[int, int], None]) -> None:
    """Nothing is reported as crashed, and nothing is left."""
    suite.write("test_clean.py", CLEAN)
    # The usual cache, in which the result of the self-test is.
    process = started(suite, {})
    temporary = suite.directory / "tmp"
    wait_for(lambda: any("--valgrind" in words for words in memchecks(temporary)))
    time.sleep(1)
    send(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "Interrupted" in output
    assert "Traceback" not in output
    assert "CRASH" not in output
    wait_for(lambda: not list(memchecks(temporary)))
    assert not list(temporary.iterdir())
