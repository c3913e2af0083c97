"""From a plain shell to a process that is watched, and back."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_valgrind.command import Command
from pytest_valgrind.launching.end import End
from pytest_valgrind.launching.run_directory import RunDirectory
from pytest_valgrind.launching.waiting import Progress, Waiting
from pytest_valgrind.recovery import journal_end
from pytest_valgrind.settings import Settings

if TYPE_CHECKING:
    from pytest_valgrind.findings.crash import Crash
    from pytest_valgrind.recovery.second_runs import SecondRun


class Start(NamedTuple):
    """What is started, and with which environment."""

    words: list[str]
    environment: dict[str, str]
    #: Of its log's path, empty if it writes none.
    log_template: str = ""
    #: Where its output goes, None for where this process's goes.
    output: Path | None = None


class Launch(ABC):
    """A command that runs once more, below an engine.

    :param directory: for all that belongs to the process; must not exist. A temporary one if
        there is none.
    :raises pytest.UsageError: if this cannot work here, with what to do about it.
    """

    #: By which the user asks for the engine.
    option: str
    #: Whether it starts so slowly that mistakes should show before.
    starts_slowly: bool

    def __init__(self, command: Command, settings: Settings, directory: Path | None = None) -> None:
        self._directory = directory
        self._command = command
        self._settings = settings

    def calibrate(self) -> None:  # noqa: B027 (an engine need not)
        """Find out, once for all that are launched, what is nobody's defect."""

    @abstractmethod
    def prepare(self) -> None:
        """Do what must be done before anything is there that would be left behind."""

    @abstractmethod
    def _start(self, run_directory: RunDirectory, *, holds_interrupts: bool) -> Start:
        """Return what to start.

        :param holds_interrupts: whether SIGINT is blocked when it starts.
        """

    @abstractmethod
    def _confirm(self, start: Start, pid: int, code: int) -> None:
        """Refuse a process that came to nothing.

        :raises pytest.UsageError: with what is known of it.
        """

    @abstractmethod
    def _examine(self, start: Start, pid: int, code: int, run_directory: RunDirectory) -> Crash:
        """Find out why a process has ended before its time."""

    def run(
        self, passed_over: Iterable[str] | None = None, second_runs: Sequence[SecondRun] = ()
    ) -> End:
        """Run it, and wait for its end.

        :param passed_over: tests that have been run already, by a process that died of one; None
            for the first process.
        :param second_runs: those of them that are to run once more.
        :raises pytest.UsageError: if there is no room for its files, or it does not start.
        """
        self.prepare()
        with Waiting() as waiting:
            run_directory = self._make_run_directory()
            try:
                if passed_over is not None:
                    self._hand_over(run_directory, passed_over, second_runs)
                return self._run(run_directory, waiting)
            except BaseException:
                shutil.rmtree(run_directory.directory, ignore_errors=True)
                raise

    def _run(self, run_directory: RunDirectory, waiting: Waiting) -> End:
        # pytest's own command does nothing before it takes over; a user's program may do anything.
        held_back = set() if self._command.program else {signal.SIGINT}
        start = self._start(run_directory, holds_interrupts=bool(held_back))
        process = self._started(start, waiting, held_back)
        code = waiting.end_of(process, lambda: _progress(run_directory))
        text = journal_end.read(run_directory.journal)
        if (waiting.was_interrupted or waiting.forwarded) and not text:
            shutil.rmtree(run_directory.directory, ignore_errors=True)
            code = 128 + waiting.forwarded[0] if waiting.forwarded else pytest.ExitCode.INTERRUPTED
            return End(code, text, was_asked_for=True, was_stopped_early=True)
        self._confirm(start, process.pid, code)
        end = End(
            128 - code if code < 0 else code,
            text,
            is_orderly=code >= 0 and journal_end.ends_well(text),
            was_asked_for=-code in waiting.forwarded,
            # Without a journal, it was replaced by another program before it was adopted.
            reached_pytest=run_directory.journal.exists(),
        )
        if code < 0 or end.has_died:
            from pytest_valgrind.recovery import journal

            crash = self._examine(start, process.pid, code, run_directory)
            end.history.record_crash(crash)
            with contextlib.suppress(OSError):
                journal.append(run_directory.journal, crash)
        elif not run_directory.log_is_kept:
            shutil.rmtree(run_directory.directory, ignore_errors=True)
        return end

    def _started(
        self, start: Start, waiting: Waiting, held_back: set[signal.Signals]
    ) -> subprocess.Popen[bytes]:
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            with contextlib.ExitStack() as stack:
                output = None
                if start.output:
                    output = stack.enter_context(start.output.open("wb"))
                return subprocess.Popen(
                    start.words,
                    cwd=self._command.directory,
                    env=start.environment,
                    stdin=subprocess.DEVNULL if output else None,
                    stdout=output,
                    stderr=subprocess.STDOUT if output else None,
                    close_fds=False,
                    preexec_fn=lambda: waiting.prepare(held_back),  # noqa: PLW1509 (no lock)
                )
        except OSError as error:
            raise pytest.UsageError(
                f"{self.option}: {start.words[0]} cannot be started: {error.strerror}."
            ) from None

    def _make_run_directory(self) -> RunDirectory:
        try:
            if self._directory is None:
                return RunDirectory(Path(tempfile.mkdtemp(prefix="pytest-valgrind-")))
            self._directory.mkdir(mode=0o700)
        except OSError as error:
            raise self._no_room(error) from None
        return RunDirectory(self._directory)

    def _hand_over(
        self,
        run_directory: RunDirectory,
        passed_over: Iterable[str],
        second_runs: Sequence[SecondRun],
    ) -> None:
        try:
            run_directory.pass_over(passed_over)
            run_directory.run_again(second_runs)
        except OSError as error:
            raise self._no_room(error) from None

    def _no_room(self, error: OSError) -> pytest.UsageError:
        try:
            directory = tempfile.gettempdir()
        except OSError:  # none can be written
            directory = "any of the usual directories"
        return pytest.UsageError(
            f"{self.option}: there is no room for its files in {directory} "
            f"({error.strerror}): make some, or name another directory in TMPDIR."
        )


def _progress(run_directory: RunDirectory) -> Progress:
    """Return how far a process has come that runs the tests."""
    text = journal_end.read(run_directory.journal)
    if not text:
        return "starts"
    from pytest_valgrind.recovery.history import ProcessHistory
    from pytest_valgrind.recovery.journal import records

    return "is interrupted" if ProcessHistory(records(text)).was_interrupted else "runs"
