"""What processes that tests start report by the native engine (csrc/heap_report.c)."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep  # by name, as tests replace the functions of the module
from typing import NamedTuple

from pytest_valgrind.children.code_of_child import (
    is_program_of_system,
    owner_in_child,
    shortened,
)
from pytest_valgrind.children.processes import Log, Sorted
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.heap.c_places import placed
from pytest_valgrind.heap.engine import KINDS, GuardEvent, LostBlock
from pytest_valgrind.heap.guards import Guards
from pytest_valgrind.heap.lost_blocks import findings_of
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.resources.child_processes import Child, ChildProcesses

_SERVERS = re.compile(r"from multiprocessing\.(resource_tracker|forkserver)")
# In place of the path of what the process executes.
_THIS_PROGRAM = "/proc/self/exe"
# Seconds that a program may take from its execution to its first instruction.
_PATIENCE = 0.5
# No test of this process is meant.
_PLACE = 0


class ReportsOfChildren:
    """The reports in a directory.

    :param directory: of this process alone.
    """

    owns_all = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        #: The plugin's own forks report nothing.
        self.own_processes: set[int] = set()
        self._owners = ObjectFiles()
        self._processes = ChildProcesses()
        self._settled: frozenset[Child] = frozenset()

    def settle(self) -> None:
        """Wait for the reports of children that have only just begun, but not for long.

        What executes a program without the engine's library never reports.
        """
        children = self._processes.read()
        end = monotonic() + _PATIENCE
        for child in children - self._settled:
            while not (self.directory / str(child.pid)).exists() and monotonic() < end:
                if child not in self._processes.read():
                    break
                sleep(_PATIENCE / 100)
        self._settled = children

    def pid_in(self, name: str) -> int | None:
        """Return the process whose report has a name, None if no report has."""
        return int(name) if name.isdecimal() else None

    def read(self, path: Path, pid: int, others: Mapping[int, Log]) -> ReportOfChild:  # noqa: ARG002
        """Read a report.

        :raises OSError: if it cannot be read.
        """
        text = path.read_text(encoding="utf-8", errors="backslashreplace")
        return ReportOfChild(text, pid, self._owners)


class Place(NamedTuple):
    """An address in the code of a child."""

    here: int  #: in the process
    there: int  #: in the object file
    object: str
    function: str


class ReportOfChild:
    """A child's report.

    :param text: as far as it has been written; the last line may not be whole.
    :param owners: tells the interpreter's object files.
    """

    def __init__(self, text: str, pid: int, owners: ObjectFiles) -> None:
        self._pid = pid
        self._owners = owners
        self.parent: int | None = None
        self._is_fork = False
        self._program = ""
        self._command = ""
        self._frames = _Frames(self._owners)
        #: Each with the program that was executed.
        self._events: list[tuple[str, GuardEvent]] = []
        self._lost: list[LostBlock] = []
        self._said: list[str] = []
        self._signals: list[tuple[int, Place]] = []
        self._is_checked = False
        self._is_broken = False
        for line in text.split("\n")[:-1]:
            word, _, rest = line.partition("\t")
            try:
                self._take[word](self, rest.split("\t"))
            except (KeyError, ValueError):  # cut, as it was too long, or by a full disk
                self._is_broken = True

    @property
    def process(self) -> str:
        """The child in words."""
        return f"{self._pid} ({'a fork' if self._is_fork else self._command})"

    @property
    def is_server(self) -> bool:
        """Whether it is one of the standard library's that end after the process that uses them."""
        return _SERVERS.search(self._command) is not None

    @property
    def is_unchecked(self) -> bool:
        """Whether it has ended, as it seems, without being checked for leaks."""
        is_checked = self._is_checked and not self._is_broken
        return not (is_checked or self._signals or self.is_server)

    def findings(self, *, has_ended: bool) -> Sorted:  # noqa: ARG002
        """Return what was found in it, as far as it has been written."""
        guards = Guards(self._frames)
        found = [(by, seen) for by, event in self._events for seen in guards.findings([event])]
        at_the_end = [
            *findings_of(self._lost, self._said, self._frames),
            *(self._fault(number, place) for number, place in self._signals),
        ]
        found += [(self._program, finding) for finding in at_the_end]
        with_lines = placed([finding for _, finding in found], lambda _: 0)
        sorted_out = Sorted([], [], [])
        for (program, _), finding in zip(found, with_lines, strict=True):
            named = replace(finding, process=self.process, pid=self._pid, phase="", origin=None)
            is_of_system = self._is_of_system(program, named)
            (sorted_out.of_system if is_of_system else sorted_out.found).append(named)
        return sorted_out

    def used_suppressions(self) -> set[str]:
        """Return nothing: the engine has none."""
        return set()

    def _is_of_system(self, program: str, finding: Finding) -> bool:
        """Whether only a system program has to do with it: the stacks are of one frame."""
        if not is_program_of_system(self._owners, program):
            return False
        stacks = (finding.stack, *(further.stack for further in finding.further))
        return all(frame.owner is not Owner.EXTENSION for stack in stacks for frame in stack)

    def _fault(self, number: int, place: Place) -> Finding:
        name = signal.Signals(number).name
        frame = self._frames.at(place.here)
        return Finding(Kind.FATAL_SIGNAL, f"Process terminating: it died of {name}", stack=(frame,))

    # --- The lines, by their first word ---

    def _take_program(self, fields: list[str]) -> None:
        """Take a program that the process has executed, perhaps in place of another."""
        parent, self._program, command = fields
        self.parent = int(parent)
        self._is_fork = False
        program, _, arguments = command.partition(" ")
        self._command = shortened(program, f" {arguments}" if arguments else "")
        self._is_checked = False

    def _take_fork(self, fields: list[str]) -> None:
        self.parent = int(fields[0])
        self._is_fork = True

    def _take_event(self, fields: list[str]) -> None:
        kind, address, size, offset, length, written = fields[:6]
        made_by, seen_by = self._place(fields[6:10]), self._place(fields[10:14])
        event = GuardEvent(
            kind=KINDS[int(kind)],
            maker=None,
            seen_in=None,
            address=int(address, 16),
            size=int(size),
            offset=int(offset),
            length=int(length),
            written=bytes.fromhex(written),
            made_by=made_by.here,
            seen_by=seen_by.here,
        )
        self._events.append((self._program, event))

    def _take_lost(self, fields: list[str]) -> None:
        address, size, keeper, in_thread = fields[:4]
        caller = self._place(fields[4:8])
        block = LostBlock(
            address=int(address, 16),
            size=int(size),
            caller=caller.here,
            keeper=int(keeper, 16),
            place=_PLACE,
            in_thread=in_thread != "0",
        )
        self._lost.append(block)

    def _take_said(self, fields: list[str]) -> None:
        self._said.append("\t".join(fields))

    def _take_signal(self, fields: list[str]) -> None:
        self._signals.append((int(fields[0]), self._place(fields[1:5])))

    def _place(self, fields: Sequence[str]) -> Place:
        """Return what four fields of a line say."""
        here, there, path, function = fields
        path = self._program if path == _THIS_PROGRAM else path
        place = Place(int(here, 16), int(there, 16), path, function)
        self._frames.know(place)
        return place

    def _take_more(self, fields: list[str]) -> None:  # noqa: ARG002
        """Note that more was lost than could be listed."""
        self._is_broken = True

    def _take_checked(self, fields: list[str]) -> None:  # noqa: ARG002
        self._is_checked = True

    def _take_unchecked(self, fields: list[str]) -> None:  # noqa: ARG002
        self._is_checked = False

    _take: Mapping[str, Callable[[ReportOfChild, list[str]], None]] = {
        "program": _take_program,
        "fork": _take_fork,
        "event": _take_event,
        "lost": _take_lost,
        "said": _take_said,
        "signal": _take_signal,
        "more": _take_more,
        "checked": _take_checked,
        "unchecked": _take_unchecked,
    }


class _Frames:
    """Makes stack frames of the addresses in a child that its report names."""

    def __init__(self, owners: ObjectFiles) -> None:
        self._owners = owners
        self._places: dict[int, Place] = {}

    def know(self, place: Place) -> None:
        """Have what a report says of one."""
        self._places[place.here] = place

    def at(self, address: int) -> Frame:
        """Return the frame of a function that goes on at an address."""
        place = self._places[address]
        path = place.object or None
        function = place.function or "???"
        owner = owner_in_child(self._owners, path, function)
        return Frame(place.there, function, object=path, owner=owner)
