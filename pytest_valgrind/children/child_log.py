"""The log of one child process: whose child it is, and what was found in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pytest_valgrind.children.code_of_child import FAULTS, owner_in_child, shortened
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.memcheck.error_contexts import key_of
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import Line, command_in, read_lines
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.memcheck.parser import Parser, used_suppressions

# Lines of csrc/child_preload.c.
_SAYS = "pytest-valgrind: "
_BEGIN = f"{_SAYS}begin"
_OBJECT = re.compile(r"object ([0-9a-f]+) ([0-9a-f]+) (.+)")
# What valgrind says to an option that it is asked to change.
_OPTION = "Handling new value "
_LISTED = re.compile(r"[\d,]+ errors (\(suppressed by .*\) )?in context \d+ of \d+:")
_PARENT = re.compile(rb"==\d+== Parent PID: (\d+)")
_FORK = re.compile(rb"\*\*\d+\*\* pytest-valgrind: fork (\d+)")
_TOTAL = re.compile(rb"==\d+== ERROR SUMMARY: (\d+) errors")
# What a log holds of whose errors are counted.
_FINDS = re.compile(rb"lost in |Process terminating")
#: Bytes: the log of a process that did nothing wrong is smaller.
_MOST_OF_A_CLEAN_LOG = 1 << 20
_HEAD = 1 << 16
_PROGRAM = re.compile(r"(?:\\.|\S)+")
_BLANK = re.compile(r"==\d+== ?")
_SIGNAL = re.compile(r".* signal (\d+)")
_OF_PYTHON = re.compile(r"_?Py[A-Z_]\w*")


class Parent(Protocol):
    """What a child may have from its parent."""

    @property
    def command(self) -> str:
        """The first line of its command."""

    def object_at(self, address: int) -> str | None:
        """Return the object file at an address."""


class ChildLog:
    """A child's log.

    :param path: of the log.
    :param pid: the child.
    :raises OSError: if it cannot be read.
    """

    def __init__(self, path: Path, pid: int) -> None:
        self.path = path
        self.pid = pid
        with path.open("rb") as file:
            head = file.read(_HEAD)
        parent, fork = (each.search(head) for each in (_PARENT, _FORK))
        #: Process id; None if the log does not say it, as with valgrind's ``-q``.
        self.parent = int(parent[1]) if parent else None
        self.is_fork = fork is not None
        self._errors_of_parent = int(fork[1]) if fork else 0
        #: Its first line; a fork has its parent's.
        self.command = command_in(head.decode(errors="replace"))
        self._is_preloaded = f" {_SAYS}".encode() in head
        self._parent: Parent | None = None
        #: Whether leaks were looked for before an interpreter took itself apart.
        self._is_checked = False
        self._is_vfork = False
        self._objects: list[tuple[int, int, str]] | None = None
        self._before: list[Line] = []
        self._listed: list[Line] = []
        self._suppressions: list[Line] = []

    @property
    def process(self) -> str:
        """The child in words."""
        what = "a fork" if self.is_fork else self._shortened_command
        return f"{self.pid} ({what})" if what else str(self.pid)

    @property
    def _shortened_command(self) -> str:
        """The command without the program's directory, and not too long."""
        # Valgrind puts backslashes before spaces and the like.
        program = _PROGRAM.match(self.command)
        words = program[0] if program else ""
        rest = self.command.removeprefix(words)
        return shortened(*(re.sub(r"\\(.)", r"\1", part) for part in (words, rest)))

    @cached_property
    def is_clean(self) -> bool:
        """Whether there is certainly nothing in it, which is known without parsing it."""
        with self.path.open("rb") as file:
            text = file.read(_MOST_OF_A_CLEAN_LOG + 1)
        totals = _TOTAL.findall(text)
        return (
            len(text) <= _MOST_OF_A_CLEAN_LOG
            and bool(totals)
            and int(totals[-1]) == self._errors_of_parent
            and _FINDS.search(text) is None
        )

    def inherit(self, parent: Parent) -> None:
        """Take what a fork has from its parent."""
        # One in which no handler ran, as it was to execute a program at once, says nothing.
        self._is_vfork = not self._is_preloaded and self.command in ("", parent.command)
        if self.is_fork or self._is_vfork:
            self._parent = parent

    def findings(
        self, owners: ObjectFiles, markers: tuple[str, ...], *, has_ended: bool
    ) -> list[Finding]:
        """Return what was found in it.

        :param owners: tells the interpreter's object files.
        :param markers: lines that valgrind puts around errors.
        :param has_ended: whether nothing more will be written.
        """

        def owner_of(path: str | None, function: str) -> Owner:
            return owner_in_child(owners, path, function)

        parser = Parser(self.object_at, owner_of, markers)
        text = read_to_end(self.path)
        lines = read_lines(text if has_ended else _complete(text), self.pid)
        shown: dict[tuple[str, ...], Finding] = {}
        leaks = []
        for finding in parser.findings(self._lines_of_findings(lines)):
            if finding.kind.is_leak:
                leaks.append(finding)
            elif finding.kind.is_counted and not _was_asked_to_end(finding):
                shown.setdefault(key_of(finding), finding)
        if self._is_vfork:  # its other errors and leaks are its parent's
            leaks, self._listed = [], []
        known = {key_of(error): error.count for error in parser.contexts(self._before)}
        for error in parser.contexts(self._listed):
            count = error.count - known.get(key_of(error), 0)
            if count > 0:
                shown[key_of(error)] = replace(shown.get(key_of(error), error), count=count)
        return [replace(found, process=self.process) for found in (*shown.values(), *leaks)]

    def object_at(self, address: int) -> str | None:
        """Return the object file at an address, as far as the log has been read."""
        if self._objects is None:  # it was clean
            self._objects = []
            for line in read_lines(read_to_end(self.path), self.pid):
                self._note(line)
        for start, end, path in reversed(self._objects):
            if start <= address < end:
                return path
        return self._parent.object_at(address) if self._parent else None

    def used_suppressions(self) -> set[str]:
        """Return name, file and line of those that it lists, as far as it has been read."""
        return used_suppressions(self._suppressions)

    def is_of_interpreter(self, finding: Finding) -> bool:
        """Whether a leak is one of an interpreter that ended, and no one else's."""
        if not finding.kind.is_leak or self._is_checked:
            return False
        owners = {frame.owner for frame in finding.stack}
        return Owner.EXTENSION not in owners and (
            Owner.INTERPRETER in owners
            or any(_OF_PYTHON.fullmatch(frame.function) for frame in finding.stack)
        )

    def _lines_of_findings(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines but those in which errors are listed once more; take note of ours."""
        # From the beginning of a fork to the line that says so, its parent's errors are listed.
        is_before = self.is_fork
        is_listed = False
        self._objects = []
        for line in lines:
            if self._note(line):
                is_before = is_before and not line.text.endswith(_BEGIN)
                continue
            if line.text.startswith(_OPTION):
                continue
            if line.mark == "--":
                self._suppressions.append(line)
            elif _LISTED.fullmatch(line.text):
                is_listed = True
            if is_listed:
                (self._before if is_before else self._listed).append(line)
                is_listed = line.mark != "==" or bool(line.text.strip())
            else:
                yield line

    def _note(self, line: Line) -> bool:
        """Take note of a line of ours, and return whether it is one."""
        if line.mark != "**" or not line.text.startswith(_SAYS):
            return False
        words = line.text.removeprefix(_SAYS)
        if words == "leaks":
            self._is_checked = True
        elif match := _OBJECT.fullmatch(words):
            start, end, path = match.groups()
            assert self._objects is not None
            self._objects.append((int(start, 16), int(end, 16), os.path.realpath(path)))
        return True


def _was_asked_to_end(finding: Finding) -> bool:
    match = _SIGNAL.match(finding.message) if finding.kind is Kind.FATAL_SIGNAL else None
    return match is not None and int(match[1]) not in FAULTS


def _complete(text: Iterable[str]) -> Iterator[str]:
    """Yield the lines up to the last blank one: what follows may not be complete."""
    pending = []
    for line in text:
        pending.append(line)
        if _BLANK.fullmatch(line):
            yield from pending
            pending = []
