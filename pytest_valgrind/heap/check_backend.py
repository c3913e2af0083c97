"""Leak checks by the native heap engine, in a clone of the process."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Origin
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.heap.guards import Guards
from pytest_valgrind.heap.lost_blocks import explain, findings
from pytest_valgrind.leaks.backend import CheckResult
from pytest_valgrind.leaks.groups import SHARE
from pytest_valgrind.memcheck.object_files import ObjectFiles

if TYPE_CHECKING:
    import resource

# As C's int has it (waitpid(2)): wait for a child that sends no SIGCHLD.
_WCLONE = -0x80000000
# Of a clone among those of the process.
_PLACE = 0


class HeapCheck:
    """Checks in a clone: each check finds what was lost since the one before.

    What was made before the first test has no number, and is never reported.

    :param guards: know what they have seen already.
    :param untracks: whether the clone takes every object out of the garbage collector's lists.
    :param at_once: whether the process waits for the clone.
    :param is_crowded: whether others need the core on which the clone would be at work.
    """

    share = SHARE

    def __init__(
        self,
        engine: Engine,
        guards: Guards,
        *,
        untracks: bool,
        at_once: bool = False,
        is_crowded: bool = False,
    ) -> None:
        if at_once or is_crowded:
            self.share = SHARE / 2
        self.sees_references = untracks
        #: Clones that came to no end.
        self.died = 0
        self._at_once = at_once
        self._engine = engine
        self._objects = ObjectFiles()
        self._guards = guards
        self._pid: int | None = None
        self._checked: CheckResult | None = None

    def remember(self) -> CheckResult:
        """Return nothing, as what was lost before has no number."""
        return CheckResult([], in_process=True, seconds=0.0)

    def remembered(self) -> CheckResult:
        """Return the same."""
        return self.remember()

    def forget(self) -> None:
        """Do nothing."""

    def start(self, *, in_process: bool) -> None:
        """Start a clone, and wait for it if the process is to do the check."""
        try:
            self._start()
        except OSError:
            self._checked = self._failed()
        else:
            if in_process or self._at_once:
                self._checked = self._end(0)

    def ended(self) -> CheckResult | None:
        """Return what was found, None while the clone is at work."""
        return self._end(os.WNOHANG)

    def wait(self) -> CheckResult:
        """Wait for the end of the clone."""
        checked = self._end(0)
        assert checked is not None
        return checked

    def _start(self) -> None:
        explains = partial(explain, self._engine, _PLACE)
        self._pid = self._engine.start_check(
            _PLACE, untracks=self.sees_references, explain=explains
        )

    def _end(self, options: int) -> CheckResult | None:
        checked, self._checked = self._checked, None
        if checked is not None:
            return checked
        usage = self._wait(options)
        if self._pid is not None:
            return None
        if self._engine.is_done(_PLACE):
            return self._result(usage, is_late=False)
        # Once more, as it is not known why it died.
        try:
            self._start()
        except OSError:
            return self._failed()
        usage = self._wait(0)
        if not self._engine.is_done(_PLACE):
            return self._failed()
        return self._result(usage, is_late=True)

    def _result(self, usage: resource.struct_rusage | None, *, is_late: bool) -> CheckResult:
        records = findings(self._engine, _PLACE, self._objects)
        records += self._seen_by_guards()
        self._engine.acknowledge(_PLACE)
        # Of the pages that both write to, the process has about as many to copy as the clone.
        seconds = usage.ru_utime + 2 * usage.ru_stime if usage else 0.0
        # What is acknowledged does not come again, as after a check of the process itself.
        return CheckResult(records, in_process=True, seconds=seconds, is_late=is_late)

    def _seen_by_guards(self) -> list[Finding]:
        """Return what the clone has seen at the ends of blocks, for the tests that made them."""
        events = self._engine.take_events(_PLACE)
        return [
            replace(found, phase="gc", origin=Origin(event.maker))
            for event in events
            for found in self._guards.findings([event])
        ]

    def _failed(self) -> CheckResult:
        self.died += 1
        return CheckResult([], in_process=True, seconds=0.0, is_late=True)

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
