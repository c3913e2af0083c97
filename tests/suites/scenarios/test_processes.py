"""Processes that a test starts."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import defective


def test_fork_with_defects() -> None:
    """What a child does is not the test's."""
    pid = os.fork()
    if pid == 0:
        defective.read_past_end()
        defective.leak(99)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_multiprocessing_with_defects() -> None:
    """Neither is what a worker does."""
    process = multiprocessing.get_context("fork").Process(target=defective.leak, args=(98,))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_environment_is_as_ever() -> None:
    """Programs that tests start see nothing of the launcher."""
    code = "import os; print(sorted(os.environ))"
    command = [sys.executable, "-c", code]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "PYTHONMALLOC" not in names
    assert "PYTEST_VALGRIND" not in names
    assert "_repairs" not in os.environ.get("LD_PRELOAD", "")
