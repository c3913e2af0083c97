"""The logs of the processes that valgrind follows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pytest_valgrind.children.child_log import ChildLog, Parent
from pytest_valgrind.children.code_of_child import is_of_system
from pytest_valgrind.children.processes import Log, Sorted
from pytest_valgrind.memcheck.log_lines import command_in
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.memcheck.object_files import ObjectFiles

# Those of the standard library's that end after the process that uses them.
_SERVERS = re.compile(r"from\\? multiprocessing\.(resource_tracker|forkserver)")


class TracedLogs:
    """The logs that valgrind writes beside the one of this process.

    :param monitor: of the process that runs the tests; its log names the process.
    :param owns_all: whether all logs in the directory are of processes that this one started, and
        may be deleted.
    """

    def __init__(self, monitor: MemcheckMonitor, *, owns_all: bool) -> None:
        log, names = monitor.info.log, monitor.info.log_names
        assert log is not None
        assert names is not None
        self.owns_all = owns_all
        self.directory = names.of(os.getpid()).parent
        self.own_processes = monitor.own_processes
        self.own_name = log.name
        self._monitor = monitor
        self._pid_in = names.pid_in
        self._this = _ThisProcess(log)

    def settle(self) -> None:
        """Do nothing: a process has its log from its first instruction on."""

    def pid_in(self, name: str) -> int | None:
        """Return the process whose log has a name, None if no log has."""
        return self._pid_in(name)

    def read(self, path: Path, pid: int, others: Mapping[int, Log]) -> TracedLog:
        """Read a log.

        :param others: of other children, by their process ids.
        :raises OSError: if it cannot be read.
        """
        log = ChildLog(path, pid)
        before = others.get(log.parent or 0)
        parent: Parent = before.log if isinstance(before, TracedLog) else self._this
        log.inherit(parent)
        return TracedLog(log, self._this.objects, self._monitor.info.error_markers)


class TracedLog:
    """The log of a child under valgrind.

    :param owners: tells the interpreter's object files.
    :param markers: lines that valgrind puts around errors.
    """

    #: Valgrind looks for all that it is told to, however a process ends.
    is_unchecked = False

    def __init__(self, log: ChildLog, owners: ObjectFiles, markers: tuple[str, ...]) -> None:
        self.log = log
        self._owners = owners
        self._markers = markers

    @property
    def parent(self) -> int | None:
        """Process id; None if it is not known."""
        return self.log.parent

    @property
    def process(self) -> str:
        """The child in words."""
        return self.log.process

    @property
    def is_server(self) -> bool:
        """Whether it is one of the standard library's that end after the process that uses them."""
        return _SERVERS.search(self.log.command) is not None

    def findings(self, *, has_ended: bool) -> Sorted:
        """Return what was found in it, as far as it has been written."""
        sorted_out = Sorted([], [], [])
        if self.log.is_clean:
            return sorted_out
        for finding in self.log.findings(self._owners, self._markers, has_ended=has_ended):
            if self.log.is_of_interpreter(finding):
                sorted_out.noise.append(finding)
            elif is_of_system(finding):
                sorted_out.of_system.append(finding)
            else:
                sorted_out.found.append(finding)
        return sorted_out

    def used_suppressions(self) -> set[str]:
        """Return name, file and line of those that it lists, as far as it has been read."""
        return self.log.used_suppressions()


class _ThisProcess:
    """What forks of this process have from it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.objects = ObjectFiles()

    @property
    def command(self) -> str:
        """The first line of its command."""
        with self._log.open(errors="replace") as file:
            return command_in(file.read(4096))

    def object_at(self, address: int) -> str | None:
        """Return the object file at an address."""
        return self.objects.at(address)
