"""The native engine in this process, for limits alone: the same command in place of this one.

Other than ``--heapcheck``, which has a launcher that waits, limits need nobody who waits for the
process: it is replaced (execve(2)), and ends as pytest does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

import pytest

from pytest_valgrind.command import Command

#: Of the environment: the variables that were changed, as they were before.
SAVED = "PYTEST_VALGRIND_LIMITS"
# The engine's words (heap/engine.py): nobody asks for its guards.
_WORDS = {"PYTEST_HEAPCHECK": "guards=off", "PYTHONMALLOC": "malloc"}


class EngineStart:
    """A start with the engine that is due."""

    def __init__(self) -> None:
        #: What is to be started, when the session has ended; None if nothing is.
        self.command: Command | None = None

    def go_on(self) -> None:
        """Replace this process, if that is due."""
        if self.command is not None:
            replace_process(self.command)


#: Of this process.
THIS = EngineStart()


def command_to_start_again() -> Command:
    """Return the command of this process.

    :raises pytest.UsageError: if it could not start again with the engine, with the reason.
    """
    from pytest_valgrind import preload
    from pytest_valgrind.launching import preconditions

    if sys.platform != "linux" or preload.heap() is None:
        raise pytest.UsageError(f"the native engine is not there on {sys.platform}")
    if SAVED in os.environ:
        raise pytest.UsageError("this interpreter starts without what is preloaded")
    command = Command.of_this_process()
    preconditions.refuse_where_nothing_is_preloaded(command.words[0])
    if command.program:
        raise pytest.UsageError(
            f"pytest was called by {command.program}, whose code would run twice: --heapcheck "
            "starts it again with the engine"
        )
    return command


def changes() -> dict[str, str]:
    """Return what the environment must hold for a process that starts with the engine.

    :raises pytest.UsageError: if the engine's library can be given no name.
    """
    from pytest_valgrind import preload

    changed = {**_WORDS, **preload.changes([preload.heap()], os.environ.get(preload.NAME))}
    return {**changed, SAVED: json.dumps({name: os.environ.get(name) for name in changed})}


def replace_process(command: Command) -> None:
    """Start the same command with the engine, in place of this process."""
    environment = {**os.environ, **changes()}
    sys.stdout.flush()
    sys.stderr.flush()
    if command.directory:
        os.chdir(command.directory)
    os.execve(command.words[0], command.words, environment)


def adopt() -> None:
    """Take out of the environment what has brought the engine: programs of tests are without it."""
    saved: Mapping[str, str | None] = json.loads(os.environ.pop(SAVED))
    for name, value in saved.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
