"""Memcheck's leak checks, done in a clone of the process or in the process itself."""

from __future__ import annotations

import os
from time import process_time

from pytest_valgrind.leaks.backend import CheckResult
from pytest_valgrind.leaks.groups import SHARE
from pytest_valgrind.memcheck.clone import Clone
from pytest_valgrind.memcheck.monitor import MemcheckMonitor


class InProcess:
    """Checks here and now, and the less often for it."""

    share = SHARE / 2
    sees_references = False
    trusts_stack = True

    def __init__(self, monitor: MemcheckMonitor) -> None:
        self._monitor = monitor
        self._checked: CheckResult | None = None

    def remember(self) -> CheckResult:
        """Check."""
        return check_in_process(self._monitor)

    def remembered(self) -> CheckResult:
        """Return nothing, as everything is known."""
        return CheckResult([], in_process=True, seconds=0.0)

    def forget(self) -> None:
        """Do nothing."""

    def start(self, *, in_process: bool) -> None:  # noqa: ARG002
        """Check."""
        self._checked = check_in_process(self._monitor)

    def ended(self) -> CheckResult | None:
        """Return what was found."""
        checked, self._checked = self._checked, None
        return checked

    def wait(self) -> CheckResult:
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
    trusts_stack = True

    def __init__(
        self,
        monitor: MemcheckMonitor,
        *,
        untracks: bool,
        at_once: bool = False,
        is_crowded: bool = False,
    ) -> None:
        if at_once or is_crowded:
            self.share = SHARE / 2
        self.sees_references = untracks
        self._at_once = at_once
        self._monitor = monitor
        self._checking = Clone(0, untracks=untracks)
        self._remembering = Clone(1, untracks=untracks)
        self._checked: CheckResult | None = None

    def remember(self) -> CheckResult | None:
        """Start a clone that waits: to keep it costs less than to check."""
        if self._at_once:
            self.start(in_process=False)
            return self.wait()
        try:
            self._remembering.start(self._monitor, waits=True)
        except OSError:
            return check_in_process(self._monitor)
        return None

    def remembered(self) -> CheckResult:
        """Have that clone check."""
        self._remembering.wake()
        # If it has died it is too late for the process itself; all that was lost is new then.
        nothing = CheckResult([], in_process=False, seconds=0.0)
        return self._remembering.reap(self._monitor, 0) or nothing

    def forget(self) -> None:
        """End that clone."""
        self._remembering.kill(self._monitor)

    def start(self, *, in_process: bool) -> None:
        """Start a clone."""
        if in_process:
            self._checked = check_in_process(self._monitor)
            return
        try:
            self._checking.start(self._monitor, waits=False)
        except OSError:
            self._checked = check_in_process(self._monitor)
        else:
            if self._at_once:
                self._checked = self._end(0)

    def ended(self) -> CheckResult | None:
        """Return what was found, None while the clone is at work."""
        return self._end(os.WNOHANG)

    def wait(self) -> CheckResult:
        """Wait for the end of the clone."""
        checked = self._end(0)
        assert checked is not None
        return checked

    def _end(self, options: int) -> CheckResult | None:
        checked, self._checked = self._checked, None
        if checked is None:
            checked = self._checking.reap(self._monitor, options)
            if checked is None and not self._checking.is_alive:
                checked = check_in_process(self._monitor)._replace(is_late=True)
        return checked


def check_in_process(monitor: MemcheckMonitor) -> CheckResult:
    """Check here and now."""
    start = process_time()
    records = monitor.leaks()
    return CheckResult(records, in_process=True, seconds=process_time() - start)
