"""The processes that tests start, by the logs that they write."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind.children.child_log import ChildLog, Parent
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.memcheck.error_contexts import key_of
from pytest_valgrind.memcheck.log_lines import command_in
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.memcheck.object_files import ObjectFiles

# Those of the standard library's that end after the process that uses them.
_SERVERS = re.compile(r"from\\? multiprocessing\.(resource_tracker|forkserver)")


class Late(NamedTuple):
    """What children did when their test had been judged."""

    test: ItemRun
    findings: list[Finding]


class _Child:
    """A child that may have something to say."""

    def __init__(self, pid: int, path: Path, test: ItemRun | None) -> None:
        self.pid = pid
        self.path = path
        self.test = test
        #: What was found when its log was first read.
        self.reported: set[tuple[str, ...]] = set()


class Children:
    """The child processes of tests.

    A child belongs to the test at whose end its log is seen for the first time.

    :param monitor: of the process that runs the tests; its log names the process.
    :param owns_logs: whether all logs in the directory are of processes that this one started, and
        may be deleted.
    """

    def __init__(self, monitor: MemcheckMonitor, *, owns_logs: bool) -> None:
        log, names = monitor.info.log, monitor.info.log_names
        assert log is not None
        assert names is not None
        self._monitor = monitor
        self._owns_logs = owns_logs
        self._directory = names.of(os.getpid()).parent
        self._pid_in = names.pid_in
        # Others' logs may be there.
        self._seen = {log.name} if owns_logs else set(_names(self._directory))
        self._unread: dict[int | None, list[_Child]] = {}
        self._alive: list[_Child] = []
        self._logs: dict[int, ChildLog] = {}
        self._strangers: set[int] = set()
        self._this = _ThisProcess(log)
        self.used_suppressions: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """Begin with the tests of a session."""
        self._has_finished = False
        self.count = 0
        #: What does not concern the user: findings in the interpreter, and in system programs.
        self.noise: list[Finding] = []
        self.of_system: list[Finding] = []

    def notice(self, test: ItemRun | None) -> None:
        """Take children that have appeared as those of a test, None if it is of none."""
        if self._has_finished:
            return
        for name in _names(self._directory):
            if name in self._seen or (pid := self._pid_in(name)) is None:
                continue
            if pid not in self._monitor.own_processes:
                self._seen.add(name)
                if test is not None:
                    test.children += 1
                child = _Child(pid, self._directory / name, test)
                self._unread.setdefault(_place(test), []).append(child)

    def findings_of_ended(self, test: ItemRun) -> list[Finding]:
        """Return what was found in a test's children if all of them have ended.

        Else they are read when the test is judged: forks need their parents' logs, and by then the
        rest may have ended.
        """
        children = self._unread.get(test.place, [])
        if any(_is_alive(child.pid) for child in children):
            return []
        return self.findings(test)

    def findings(self, test: ItemRun | None) -> list[Finding]:
        """Return what was found by now in a test's children, or in those of no test."""
        return self._read(self._unread.pop(_place(test), []))

    def finish(self) -> list[Late]:
        """Return what was found since in those that were still alive."""
        self._has_finished = True
        late = []
        for child in [*self._alive, *(child for rest in self._unread.values() for child in rest)]:
            found = self._read([child])
            if found and child.test:
                late.append(Late(child.test, found))
        return late

    def has_living(self, test: ItemRun) -> bool:
        """Whether any child of a test, as far as it has been judged, may still do something."""
        return any(child.test is test for child in self._alive)

    @property
    def still_alive(self) -> Iterator[str]:
        """Those that were so at the end, in words."""
        for child in self._alive:
            log = self._logs[child.pid]
            if child.test and not _SERVERS.search(log.command) and _is_alive(child.pid):
                yield (
                    f"child process {log.process} of {child.test.nodeid} still runs, and what is "
                    "found in it from here on is not reported: have the test wait for its end"
                )

    def _read(self, children: list[_Child]) -> list[Finding]:
        found = []
        ended = []
        for child in sorted(children, key=lambda child: child.pid):
            has_ended = not _is_alive(child.pid)  # before its log is read
            try:
                log = ChildLog(child.path, child.pid)
                if not self._is_ours(log):
                    continue
                self.count += child.pid not in self._logs
                parent: Parent = self._logs.get(log.parent or 0, self._this)
                log.inherit(parent)
                self._logs[child.pid] = log
                new = self._findings(log, child, has_ended=has_ended)
            except OSError:  # deleted meanwhile
                continue
            found += new
            if not has_ended and child not in self._alive:
                self._alive.append(child)
            if has_ended and not (new or child.reported):
                ended.append(child)
        for child in ended:
            self._forget(child)
        return found

    def _findings(self, log: ChildLog, child: _Child, *, has_ended: bool) -> list[Finding]:
        if log.is_clean:
            return []
        owners = self._this.objects
        markers = self._monitor.info.error_markers
        found = []
        for finding in log.findings(owners, markers, has_ended=has_ended):
            key = key_of(finding)
            if key in child.reported:
                continue
            child.reported.add(key)
            if log.is_of_interpreter(finding):
                self.noise.append(finding)
            elif log.is_of_system(finding):
                self.of_system.append(finding)
            else:
                found.append(finding)
        self.used_suppressions |= log.used_suppressions()
        return found

    def _is_ours(self, log: ChildLog) -> bool:
        """Whether a process descends from this one, and from none of the plugin's own."""
        if log.parent in self._logs or log.parent == os.getpid():
            return True
        if log.parent in self._monitor.own_processes:
            return False
        # Its parent may have ended before it executed its program.
        return self._owns_logs

    def _forget(self, child: _Child) -> None:
        """Delete the log of a child that ended and did nothing wrong, so that others are found."""
        if self._owns_logs:
            with contextlib.suppress(OSError):
                child.path.unlink()
            self._seen.discard(child.path.name)


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


def _names(directory: Path) -> list[str]:
    return os.listdir(directory)  # noqa: PTH208 (for every test, and names will do)


def _place(test: ItemRun | None) -> int | None:
    return test.place if test else None


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:
        return False
    return state not in b"ZX"
