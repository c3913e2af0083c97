"""What the launcher hands to the process that it starts under valgrind, by the environment."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_valgrind.recovery.second_runs import SecondRun

_DIRECTORY = "PYTEST_VALGRIND_DIRECTORY"
_HOLDS = "PYTEST_VALGRIND_HOLDS_SIGINT"
_SAVED = "PYTEST_VALGRIND_SAVED_"
#: Set in a process whose session writes nothing.
QUIET = "PYTEST_VALGRIND_QUIET"
_FOUND = "found"
_MAP = "maps"
JOURNAL = "journal"
_DONE = "done"
_SECOND_RUNS = "second-runs"
_FUNCTIONS = "functions"
_STACKS = "python-stacks"
_CRASH = "crash"
_LEAKS = "leaks-before"
_NOISE = "interpreter.supp"


class RunDirectory(NamedTuple):
    """The directory that launcher and launched process share; the log is in there."""

    directory: Path

    def environment(
        self,
        preloaded: Iterable[Path | None],
        *,
        holds_interrupts: bool,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, str]:
        """Return the environment for the process to launch.

        :param preloaded: shared objects that it shall start with.
        :param holds_interrupts: whether SIGINT is blocked when it starts.
        :param more: further variables that only this process shall have.
        :raises pytest.UsageError: if the loader cannot be told of one.
        """
        from pytest_valgrind import preload

        present = os.environ.get(preload.NAME)
        changes = {
            "PYTHONMALLOC": "malloc",
            **preload.changes(preloaded, present, self.directory),
            **more,
        }
        environment = {**os.environ, **changes, _DIRECTORY: str(self.directory)}
        if holds_interrupts:
            environment[_HOLDS] = "1"
        for name in changes:
            # Saved even where it is not set, so that the other side knows what to undo.
            environment[_SAVED + name] = os.environ.get(name, "")
        return environment

    @property
    def noise(self) -> Path:
        """The suppressions of the interpreter's own errors, there if these are known."""
        return self.directory / _NOISE

    @classmethod
    def adopt(cls, *, restores: bool = True) -> RunDirectory | None:
        """Return what the launcher handed over, None if there was no launcher.

        :param restores: whether what it put into the environment is taken out again, so that
            programs which tests start run as they would without valgrind.
        """
        directory = os.environ.pop(_DIRECTORY, None)
        if directory is None:
            return None
        if os.environ.pop(_HOLDS, None):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for name in [name for name in os.environ if name.startswith(_SAVED)]:
            value = os.environ.pop(name)
            if not restores:
                continue
            if value:
                os.environ[name.removeprefix(_SAVED)] = value
            else:
                os.environ.pop(name.removeprefix(_SAVED), None)
        return cls(Path(directory))

    @staticmethod
    def is_pending() -> bool:
        """Whether a launcher waits for this process to adopt what it handed over."""
        return _DIRECTORY in os.environ

    @property
    def journal(self) -> Path:
        """Where the process writes down what it does, for the launcher to read if it dies."""
        return self.directory / JOURNAL

    def pass_over(self, nodeids: Iterable[str]) -> None:
        """Have the process leave out tests, once for each time that they are named."""
        text = "\0".join(nodeids)
        (self.directory / _DONE).write_text(text, encoding="utf-8")

    @property
    def passed_over(self) -> list[str] | None:
        """The tests to leave out, None if it is the first process that runs them."""
        try:
            return (self.directory / _DONE).read_text(encoding="utf-8").split("\0")
        except OSError:
            return None

    def run_again(self, runs: Sequence[SecondRun]) -> None:
        """Have the process run tests a second time, before all others."""
        from pytest_valgrind.recovery.second_runs import packed

        (self.directory / _SECOND_RUNS).write_bytes(packed(runs))

    @property
    def second_runs(self) -> Sequence[SecondRun]:
        """The tests to run a second time."""
        try:
            runs = (self.directory / _SECOND_RUNS).read_bytes()
        except OSError:
            return ()
        from pytest_valgrind.recovery.second_runs import unpacked

        return unpacked(runs)

    @property
    def functions(self) -> Path:
        """Where the names of Python's functions are, for the launcher to read them in stacks."""
        return self.directory / _FUNCTIONS

    @property
    def python_stacks(self) -> Path:
        """Where Python's stacks are if the process was ended because a test hung."""
        return self.directory / _STACKS

    @property
    def output(self) -> Path:
        """Where the output of a process goes that shall not print anything."""
        return self.directory / "output"

    @property
    def leaks_before(self) -> Path:
        """What the native engine found in a run before, there if it was asked."""
        return self.directory / _LEAKS

    @property
    def crash_stacks(self) -> Path:
        """Where faulthandler writes the stacks of Python when a fatal signal ends the process."""
        return self.directory / _CRASH

    def keep_log(self) -> None:
        """Have the launcher leave the log where it is."""
        with contextlib.suppress(OSError):  # a full disk; the log is still named in the summary
            (self.directory / _FOUND).touch()

    @property
    def log_is_kept(self) -> bool:
        """Whether anything was found, so that somebody may want to look at the log."""
        return (self.directory / _FOUND).exists()

    def save_memory_map(self) -> None:
        """Save where object files are mapped, for the launcher to read the stack of a crash."""
        with contextlib.suppress(OSError):
            (self.directory / _MAP).write_text(Path("/proc/self/maps").read_text())

    @property
    def memory_map(self) -> str:
        """What was saved, empty if the process did not come so far."""
        try:
            return (self.directory / _MAP).read_text()
        except OSError:
            return ""
