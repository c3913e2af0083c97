"""A fork of this process in which a test runs once more, and which ends after that."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable

import pytest

from pytest_valgrind import client

# Seconds between looks at it.
_INTERVAL = 0.02
_is_fork = False
_is_about_to_fork = False


def is_in_fork() -> bool:
    """Whether this process is such a fork, in which nobody judges what a test does."""
    return _is_fork


def is_of_this_kind() -> bool:
    """Whether a fork that has just begun is of this kind: :func:`is_in_fork` is told later."""
    return _is_about_to_fork


def forked(work: Callable[[], object]) -> int:
    """Do something in a fork, and return its process id.

    Its exit code is 0 if the work came to its end, else 1.

    :raises OSError: if there cannot be another process.
    """
    global _is_fork, _is_about_to_fork  # noqa: PLW0603
    this = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    client.log_next_fork()
    code = 1
    with warnings.catch_warnings():
        # From 3.12 on, if there are threads: none of theirs has a lock that is needed.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            _is_about_to_fork = True
            if (pid := os.fork()) == 0:
                _is_fork = True
                work()
                code = 0
        finally:
            _is_about_to_fork = False
            # Whatever was raised, pytest must not go on in two processes.
            if os.getpid() != this:
                os._exit(code)
            client.log_forks_as_before()
    return pid


def wait(pid: int, end: float) -> int | None:
    """Wait for a fork, and return its status; None if it had to be killed.

    :param end: a time of ``time.monotonic``.
    """
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(_INTERVAL)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def detach_output(config: pytest.Config) -> None:
    """Have what the process prints go nowhere, least of all to where its parent captures."""
    # Descriptors that are shared with the parent have their position in common with it.
    descriptors = {1, 2}
    manager = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("in_", "out", "err"):
        file = getattr(getattr(capturing, name, None), "tmpfile", None)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            descriptors.add(file.fileno())  # type: ignore[union-attr]
    for descriptor in descriptors:
        with tempfile.TemporaryFile() as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
