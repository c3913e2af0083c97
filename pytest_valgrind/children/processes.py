"""The processes that tests start, by the logs that they write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.memcheck.error_contexts import key_of

_MOST_NAMED = 3


class Late(NamedTuple):
    """What children did when their test had been judged."""

    test: ItemRun
    findings: list[Finding]


class Sorted(NamedTuple):
    """What a log says that was found."""

    #: What concerns the user.
    found: list[Finding]
    #: In the interpreter, and in system programs.
    noise: list[Finding]
    of_system: list[Finding]


class Log(Protocol):
    """What a child has written."""

    @property
    def parent(self) -> int | None:
        """Process id; None if it is not known."""

    @property
    def process(self) -> str:
        """The child in words."""

    @property
    def is_server(self) -> bool:
        """Whether it is one of the standard library's that end after the process that uses them."""

    def findings(self, *, has_ended: bool) -> Sorted:
        """Return what was found in it, as far as it has been written.

        :param has_ended: whether nothing more will be written.
        """

    def used_suppressions(self) -> set[str]:
        """Return name, file and line of those that it lists, as far as it has been read."""

    @property
    def is_unchecked(self) -> bool:
        """Whether it has ended, as it seems, without being checked for leaks."""


class Logs(Protocol):
    """The logs of children of one process, and perhaps others."""

    @property
    def directory(self) -> Path:
        """Where they are."""

    @property
    def owns_all(self) -> bool:
        """Whether all are of processes that this one started, and may be deleted."""

    @property
    def own_processes(self) -> set[int]:
        """Forks that are no test's."""

    def settle(self) -> None:
        """Wait for the logs of children that have only just begun."""

    def pid_in(self, name: str) -> int | None:
        """Return the process whose log has a name, None if no log has."""

    def read(self, path: Path, pid: int, others: Mapping[int, Log]) -> Log:
        """Read a log.

        :param others: of other children, by their process ids.
        :raises OSError: if it cannot be read.
        """


class _Child:
    """A child that may have something to say."""

    def __init__(self, pid: int, path: Path, test: ItemRun | None) -> None:
        self.pid = pid
        self.path = path
        self.test = test
        #: What was found when its log was first read.
        self.reported: set[tuple[object, ...]] = set()


class Children:
    """The child processes of tests.

    A child belongs to the test at whose end its log is seen for the first time.

    :param seen: names of logs that are no child's.
    """

    def __init__(self, logs: Logs, seen: set[str]) -> None:
        self._source = logs
        # Others' logs may be there.
        self._seen = seen if logs.owns_all else set(_names(logs.directory))
        self._unread: dict[int | None, list[_Child]] = {}
        self._alive: list[_Child] = []
        self._logs: dict[int, Log] = {}
        self.used_suppressions: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """Begin with the tests of a session."""
        self._has_finished = False
        self.count = 0
        #: What does not concern the user: findings in the interpreter, and in system programs.
        self.noise: list[Finding] = []
        self.of_system: list[Finding] = []
        self._unchecked: list[str] = []

    def notice(self, test: ItemRun | None) -> None:
        """Take children that have appeared as those of a test, None if it is of none."""
        if self._has_finished:
            return
        self._source.settle()
        for name in _names(self._source.directory):
            if name in self._seen or (pid := self._source.pid_in(name)) is None:
                continue
            if pid not in self._source.own_processes:
                self._seen.add(name)
                if test is not None:
                    test.children += 1
                child = _Child(pid, self._source.directory / name, test)
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
    def weaknesses(self) -> Iterator[str]:
        """What is not known of them at the end, in sentences."""
        if count := len(self._unchecked):
            named = ", ".join(self._unchecked[:_MOST_NAMED])
            yield (
                f"{plural(count, 'child process', 'child processes')} not checked for leaks, or "
                f"not wholly: ended from outside, no check possible, or too much lost: {named}"
                f"{', ...' if count > _MOST_NAMED else ''}"
            )
        for child in self._alive:
            log = self._logs[child.pid]
            if child.test and not log.is_server and _is_alive(child.pid):
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
                log = self._source.read(child.path, child.pid, self._logs)
                if not self._is_ours(log):
                    continue
                self.count += child.pid not in self._logs
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

    def _findings(self, log: Log, child: _Child, *, has_ended: bool) -> list[Finding]:
        def is_new(finding: Finding) -> bool:
            key = (*key_of(finding), finding.objects)
            if key in child.reported:
                return False
            child.reported.add(key)
            return True

        found, noise, of_system = (
            list(filter(is_new, some)) for some in log.findings(has_ended=has_ended)
        )
        self.noise += noise
        self.of_system += of_system
        self.used_suppressions |= log.used_suppressions()
        if has_ended and log.is_unchecked:
            self._unchecked.append(log.process)
        return found

    def _is_ours(self, log: Log) -> bool:
        """Whether a process descends from this one, and from none of the plugin's own."""
        if log.parent in self._logs or log.parent == os.getpid():
            return True
        if log.parent in self._source.own_processes:
            return False
        # Its parent may have ended before it executed its program.
        return self._source.owns_all

    def _forget(self, child: _Child) -> None:
        """Delete the log of a child that ended and did nothing wrong, so that others are found."""
        if self._source.owns_all:
            with contextlib.suppress(OSError):
                child.path.unlink()
            self._seen.discard(child.path.name)


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
