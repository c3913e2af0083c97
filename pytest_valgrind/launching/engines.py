"""The launch for the engine that the user asked for."""

from __future__ import annotations

from pathlib import Path

from pytest_valgrind.command import Command
from pytest_valgrind.launching.launcher import Launch
from pytest_valgrind.settings import Settings


def launch_of(command: Command, settings: Settings, directory: Path | None = None) -> Launch:
    """Return a command that runs once more, below an engine.

    :param directory: for all that belongs to the process; must not exist. A temporary one if
        there is none.
    :raises pytest.UsageError: if this cannot work here, with what to do about it.
    """
    # The modules of one engine alone.
    if settings.valgrind:
        from pytest_valgrind.launching.valgrind_launch import ValgrindLaunch

        return ValgrindLaunch(command, settings, directory)
    from pytest_valgrind.launching.heap_launch import HeapLaunch

    return HeapLaunch(command, settings, directory)
