"""A command that runs once more, with the native heap engine preloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind import preload
from pytest_valgrind.command import Command
from pytest_valgrind.heap.engine import VARIABLE
from pytest_valgrind.launching import preconditions
from pytest_valgrind.launching.launcher import Launch, Start
from pytest_valgrind.launching.run_directory import QUIET, RunDirectory
from pytest_valgrind.settings import Settings

if TYPE_CHECKING:
    from pytest_valgrind.findings.crash import Crash


class HeapLaunch(Launch):
    """A command that runs natively, with an allocator that knows every block's test.

    :param is_quiet: whether it writes nothing, as another session will report what it finds.
    """

    option = "--heapcheck"
    starts_slowly = False

    def __init__(
        self,
        command: Command,
        settings: Settings,
        directory: Path | None = None,
        *,
        is_quiet: bool = False,
    ) -> None:
        super().__init__(command, settings, directory)
        self._is_quiet = is_quiet
        library = preload.heap()
        if library is None:
            raise pytest.UsageError(
                "--heapcheck: the engine's library was not built for this platform: reinstall "
                "pytest-valgrind where there is a C compiler."
            )
        self._library = library
        preconditions.refuse_where_nothing_is_preloaded(command.words[0])

    def prepare(self) -> None:
        """Do nothing."""

    def _start(self, run_directory: RunDirectory, *, holds_interrupts: bool) -> Start:
        quiet = {QUIET: "1"} if self._is_quiet else {}
        environment = run_directory.environment(
            [self._library],
            holds_interrupts=holds_interrupts,
            more={VARIABLE: f"guards={self._settings.guards}", **quiet},
        )
        output = run_directory.output if self._is_quiet else None
        return Start(list(self._command.words), environment, output=output)

    def _confirm(self, start: Start, pid: int, code: int) -> None:
        """Take it as it is: what does not start says so itself."""

    def _examine(
        self,
        start: Start,  # noqa: ARG002
        pid: int,  # noqa: ARG002
        code: int,
        run_directory: RunDirectory,
    ) -> Crash:
        from pytest_valgrind.recovery.post_mortem import native_crash

        return native_crash(code, run_directory.python_stacks, run_directory.crash_stacks)
