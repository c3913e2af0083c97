"""Child processes that run, or have ended and were not waited for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.resources.openings import Opening
from pytest_valgrind.standard_library import kept_processes

_PROCESSES = Path("/proc")
_TASKS = _PROCESSES / "self" / "task"
# Fields of /proc/PID/stat behind the name (proc(5)): the state, when it began, and the signal that
# its parent gets at its end.
_STATE, _PARENT, _START, _EXIT_SIGNAL = 0, 1, 19, 35


class Child(NamedTuple):
    """A child process."""

    pid: int
    start: int  #: in ticks since the machine started: tells it from another of the same number


class ChildProcesses:
    """The children of this process."""

    kind = Kind.CHILD_PROCESS

    def read(self) -> frozenset[Child]:
        """Return them; none where there is no /proc."""
        if sys.platform != "linux":
            return frozenset()
        try:
            # A child that has ended stays as it is. It takes a microsecond, if there is no child.
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return frozenset()
        kept = kept_processes()
        return frozenset(
            Child(pid, int(fields[_START]))
            for pid in _pids()
            if pid not in kept
            if (fields := _fields(pid)) is not None
            # A clone of the process that looks for leaks sends no signal when it ends.
            if fields[_EXIT_SIGNAL] != "0"
        )

    def settled(self, new: frozenset[Child]) -> frozenset[Child]:
        """Return those that are still there: subprocess takes note of ended ones now and then."""
        subprocess._cleanup()  # type: ignore[attr-defined]  # it does so for each new process
        return new & self.read()

    def describe(self, thing: Child) -> str:
        """Return its process id and command line, and whether it has ended."""
        fields = _fields(thing.pid)
        if fields and fields[_STATE] == "Z":
            return f"number {thing.pid}, which has ended and was not waited for"
        return f"number {thing.pid}, {shlex.join(_command(thing.pid))}"

    def where(self, thing: Child, openings: Sequence[Opening]) -> Stack:
        """Return where it was started; if several may be it, where the last of them was."""
        command = _command(thing.pid)
        for opening in reversed(openings):
            arguments = opening.what if isinstance(opening.what, tuple) else ()
            if opening.event in ("os.fork", "os.forkpty"):
                is_it = not command or command == _command(os.getpid())
            elif opening.event in ("subprocess.Popen", "os.posix_spawn"):
                given = arguments[1]
                words = [given] if isinstance(given, str | bytes) else given
                is_it = not command or [os.fsdecode(word) for word in words] == command
            else:
                is_it = False
            if is_it:
                return opening.stack
        return ()


def _pids() -> Iterator[int]:
    for task in _TASKS.iterdir():
        try:
            yield from map(int, (task / "children").read_bytes().split())
        except FileNotFoundError:
            if not task.exists():
                continue  # a thread that has ended
            # A kernel without CONFIG_PROC_CHILDREN: 3 ms, and only where there is a child.
            yield from _pids_of_all()
            return


def _pids_of_all() -> Iterator[int]:
    parent = str(os.getpid())
    for path in _PROCESSES.iterdir():
        fields = _fields(int(path.name)) if path.name.isdecimal() else None
        if fields and fields[_PARENT] == parent:
            yield int(path.name)


def _fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat behind the name, None if there is no such process."""
    try:
        text = (_PROCESSES / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _command(pid: int) -> list[str]:
    """Return the words of a command line, none if the process has ended."""
    try:
        words = (_PROCESSES / str(pid) / "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []
    return [os.fsdecode(word) for word in words]
