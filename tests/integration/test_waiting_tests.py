"""The number of tests that wait for their leak check, on a terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import ENGINES
from suite import Suite


@pytest.fixture
def terminal() -> io.StringIO:
    """Return what is written to the terminal."""
    return io.StringIO()


@pytest.fixture
def clean(suite: Suite) -> Suite:
    """Return a suite whose tests have a group in common."""
    suite.write(
        "test_a.py",
        "import pytest, time\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test(n):\n    time.sleep(0.6)\n",
    )
    return suite


def read_all(descriptor: int) -> Iterator[bytes]:
    """Yield what a run in a terminal writes."""
    while True:
        try:
            data = os.read(descriptor, 4096)
        except OSError:  # the other end is closed (pty(7))
            return
        if not data:
            return
        yield data


@pytest.mark.parametrize("engine", ENGINES)
def test_terminal(engine: str, clean: Suite) -> None:
    """The number of tests that wait is shown there."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", engine],
        cwd=clean.directory,
        env=clean.environment({"TERM": "xterm"}),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        close_fds=True,
    )
    os.close(terminal)
    output = b"".join(read_all(controller))
    assert process.wait() == 0
    assert b"waiting for a leak check" in output
    assert b"3 passed" in output
