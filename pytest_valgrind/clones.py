"""Leak checks, done in a clone of the process or in the process itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_valgrind import client
from pytest_valgrind.evidence import Evidence
from pytest_valgrind.findings import Finding

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
    #: Seconds of processor time.
    seconds: float


class Checker(Protocol):
    """Does leak checks, one at a time."""

    def start(self, *, in_process: bool) -> None:
        """Begin a check.

        :param in_process: whether to do it here and now, even if a clone could.
        """

    def ended(self) -> Checked | None:
        """Return the check that was begun, None while it is under way."""

    def wait(self) -> Checked:
        """Wait for it."""


class InProcess:
    """Checks here and now."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._checked: Checked | None = None

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
    """Checks in a clone, and in the process if there can be none."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._pid: int | None = None
        self._mark = 0
        self._checked: Checked | None = None
        #: Clones that were not to be had, or died before they had checked.
        self.failures = 0

    def start(self, *, in_process: bool) -> None:
        """Start a clone."""
        if in_process:
            self._checked = check_in_process(self._evidence)
            return
        self._mark = self._evidence.mark()
        try:
            self._pid = client.clone()
        except OSError:
            self._fall_back()

    def ended(self) -> Checked | None:
        """Return what was found, None while the clone is at work."""
        return self._reap(os.WNOHANG)

    def wait(self) -> Checked:
        """Wait for the end of the clone."""
        checked = self._reap(0)
        assert checked is not None
        return checked

    def _reap(self, options: int) -> Checked | None:
        if self._pid is not None:
            try:
                pid, _, usage = os.wait4(self._pid, options | _WCLONE)
            except ChildProcessError:  # a test has waited for all that there is (__WALL)
                pid, usage = self._pid, None
            if pid == 0:
                return None
            self._pid = None
            if client.clone_has_checked():
                seconds = usage.ru_utime + usage.ru_stime if usage else 0.0
                records = self._evidence.leaks_of_clone(pid, self._mark, client.clone_leaked())
                self._checked = Checked(records, in_process=False, seconds=seconds)
            else:
                self._fall_back()
        checked, self._checked = self._checked, None
        return checked

    def _fall_back(self) -> None:
        self.failures += 1
        self._checked = check_in_process(self._evidence)


def check_in_process(evidence: Evidence) -> Checked:
    """Check here and now."""
    start = time.process_time()
    records = evidence.leaks()
    return Checked(records, in_process=True, seconds=time.process_time() - start)


def has_second_core() -> bool:
    """Whether a clone can be at work while the process goes on.

    By the process's affinity and by the limit of its container (cgroup v2's cpu.max).
    """
    try:
        quota, period = _CPU_LIMIT.read_text().split()
        limit = float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        limit = float("inf")
    return min(len(os.sched_getaffinity(0)), limit) >= 2
