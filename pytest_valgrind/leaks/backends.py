"""Leak checks, done in a clone of the process or in the process itself."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.leaks.groups import SHARE
from pytest_valgrind.memcheck.monitor import Evidence
from pytest_valgrind.objects.lost_objects import explain

if TYPE_CHECKING:
    import resource

# As C's int has it (waitpid(2)): wait for a child that sends no SIGCHLD.
_WCLONE = -0x80000000
#: Of a container's limit of processor time, in cgroup v2.
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


class Checked(NamedTuple):
    """What a leak check found."""

    #: By how much each loss record grew since the process's own last check.
    records: list[Finding]
    #: Whether it was the process itself that checked.
    in_process: bool
    #: Seconds of processor time, with the reading of the log.
    seconds: float
    #: Whether it was done only when a clone turned out to have died, and sees what was lost since.
    is_late: bool = False


class Checker(Protocol):
    """Does leak checks, one at a time."""

    #: The part of a group's time that its check may take.
    share: float
    #: Whether lost references to what the garbage collector knows are found.
    sees_references: bool

    def remember(self) -> Checked | None:
        """Check, or begin a check that may turn out to be of no use, and return None."""

    def remembered(self) -> Checked:
        """Return what the latter finds."""

    def forget(self) -> None:
        """Give it up."""

    def start(self, *, in_process: bool) -> None:
        """Begin a check.

        :param in_process: whether to do it here and now, even if a clone could.
        """

    def ended(self) -> Checked | None:
        """Return the check that was begun, None while it is under way."""

    def wait(self) -> Checked:
        """Wait for it."""


class InProcess:
    """Checks here and now, and the less often for it."""

    share = SHARE / 2
    sees_references = False

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._checked: Checked | None = None

    def remember(self) -> Checked:
        """Check."""
        return check_in_process(self._evidence)

    def remembered(self) -> Checked:
        """Return nothing, as everything is known."""
        return Checked([], in_process=True, seconds=0.0)

    def forget(self) -> None:
        """Do nothing."""

    def start(self, *, in_process: bool) -> None:  # noqa: ARG002
        """Check."""
        self._checked = check_in_process(self._evidence)

    def ended(self) -> Checked | None:
        """Return what was found."""
        checked, self._checked = self._checked, None
        return checked

    def wait(self) -> Checked:
        """Return what was found."""
        checked = self.ended()
        assert checked is not None
        return checked


class InClone:
    """Checks in a clone, and in the process if there can be none.

    :param untracks: whether the clone takes every object out of the garbage collector's lists.
    :param at_once: whether the process waits for the clone.
    :param is_crowded: whether others need the core on which the clone would be at work. It checks
        the less often then, and if the process waits.
    """

    share = SHARE

    def __init__(
        self,
        evidence: Evidence,
        *,
        untracks: bool,
        at_once: bool = False,
        is_crowded: bool = False,
    ) -> None:
        if at_once or is_crowded:
            self.share = SHARE / 2
        self.sees_references = untracks
        self._at_once = at_once
        self._evidence = evidence
        self._checking = Clone(0, untracks=untracks)
        self._remembering = Clone(1, untracks=untracks)
        self._checked: Checked | None = None

    def remember(self) -> Checked | None:
        """Start a clone that waits: to keep it costs less than to check."""
        if self._at_once:
            self.start(in_process=False)
            return self.wait()
        try:
            self._remembering.start(self._evidence, waits=True)
        except OSError:
            return check_in_process(self._evidence)
        return None

    def remembered(self) -> Checked:
        """Have that clone check."""
        self._remembering.wake()
        # If it has died it is too late for the process itself; all that was lost is new then.
        nothing = Checked([], in_process=False, seconds=0.0)
        return self._remembering.reap(self._evidence, 0) or nothing

    def forget(self) -> None:
        """End that clone."""
        self._remembering.kill(self._evidence)

    def start(self, *, in_process: bool) -> None:
        """Start a clone."""
        if in_process:
            self._checked = check_in_process(self._evidence)
            return
        try:
            self._checking.start(self._evidence, waits=False)
        except OSError:
            self._checked = check_in_process(self._evidence)
        else:
            if self._at_once:
                self._checked = self._end(0)

    def ended(self) -> Checked | None:
        """Return what was found, None while the clone is at work."""
        return self._end(os.WNOHANG)

    def wait(self) -> Checked:
        """Wait for the end of the clone."""
        checked = self._end(0)
        assert checked is not None
        return checked

    def _end(self, options: int) -> Checked | None:
        checked, self._checked = self._checked, None
        if checked is None:
            checked = self._checking.reap(self._evidence, options)
            if checked is None and not self._checking.is_alive:
                checked = check_in_process(self._evidence)._replace(is_late=True)
        return checked


class Clone:
    """A clone of the process.

    :param which: its place.
    :param untracks: whether it takes every object out of the garbage collector's lists.
    :param prepare: is called in it before the check.
    :param explains: says in its log what was lost; is given the template of the log's path.
    """

    def __init__(
        self,
        which: int,
        *,
        untracks: bool,
        prepare: Callable[[], object] | None = None,
        explains: Callable[[str], object] = explain,
    ) -> None:
        self._prepare = prepare
        self._explain = explains
        self._which = which
        self._untracks = untracks
        self._pid: int | None = None
        self._mark = 0

    @property
    def is_alive(self) -> bool:
        """Whether it has not been waited for."""
        return self._pid is not None

    def start(self, evidence: Evidence, *, waits: bool) -> None:
        """Start it.

        :raises OSError: if there cannot be another process.
        """
        self._mark = evidence.mark()
        log = evidence.log_of_clone
        self._pid = client.clone(
            self._which,
            waits,
            self._untracks,
            self._prepare,
            partial(self._explain_all, evidence, log) if log else None,
            os.fsencode(log),
            0 if evidence.host.logs_processes_apart else self._mark,
        )
        evidence.own_processes.add(self._pid)

    def _explain_all(self, evidence: Evidence, log: str) -> None:
        self._explain(log)
        evidence.note_suppressions()

    def wake(self) -> None:
        """Have it check, if it waits."""
        client.wake_clone(self._which)

    def kill(self, evidence: Evidence) -> None:
        """End it."""
        if (pid := self._pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._wait(0)
            evidence.forget_clone(pid)

    def reap(self, evidence: Evidence, options: int) -> Checked | None:
        """Return what it found, None if it is at work or has died."""
        pid = self._pid
        usage = self._wait(options)
        if pid is None or self.is_alive or not client.clone_has_checked(self._which):
            return None
        start = process_time()
        records = evidence.leaks_of_clone(pid, self._mark, client.clone_leaked(self._which))
        seconds = process_time() - start
        if usage:
            # Of the pages that both write to, the process has about as many to copy as the clone.
            seconds += usage.ru_utime + 2 * usage.ru_stime
        return Checked(records, in_process=False, seconds=seconds)

    def _wait(self, options: int) -> resource.struct_rusage | None:
        assert self._pid is not None
        usage = None
        try:
            pid, _, usage = os.wait4(self._pid, options | _WCLONE)
        except ChildProcessError:  # a test has waited for whatever there is (__WALL)
            pid = self._pid
        if pid:
            self._pid = None
        return usage


def check_in_process(evidence: Evidence) -> Checked:
    """Check here and now."""
    start = process_time()
    records = evidence.leaks()
    return Checked(records, in_process=True, seconds=process_time() - start)


def cores() -> float:
    """Return how many cores this process may use.

    By its affinity and by the limit of its container (cgroup v2's cpu.max).
    """
    try:
        quota, period = _CPU_LIMIT.read_text().split()
        limit = float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        limit = float("inf")
    return min(len(os.sched_getaffinity(0)), limit)
