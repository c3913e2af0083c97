"""Leak checks by the native heap engine, in a clone of the process."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Origin
from pytest_valgrind.heap.c_places import CFrames, placed
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.heap.guards import Guards
from pytest_valgrind.heap.live_frames import forget_dead_places
from pytest_valgrind.heap.lost_blocks import explain, findings
from pytest_valgrind.leaks.backend import CheckResult
from pytest_valgrind.leaks.groups import SHARE

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
    # A dead slot of it would hide what was lost.
    trusts_stack = False

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
        self._at_once = at_once
        self._engine = engine
        self._frames = CFrames()
        self._guards = guards
        #: What weakens the results: a check that came to no end.
        self.hints: set[str] = set()
        #: Why nobody knows what was lost last, as a sentence: no check has come to its end since.
        self.blindness = ""
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
        self._start()
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
        try:
            self._pid = self._engine.start_check(
                _PLACE,
                untracks=self.sees_references,
                prepare=forget_dead_places,
                explain=explains,
            )
        except OSError:  # there cannot be another process
            self._pid = None

    def _end(self, options: int) -> CheckResult | None:
        checked, self._checked = self._checked, None
        if checked is not None:
            return checked
        if self._pid is not None:
            spent = client.wait_for_clone(self._pid, options)
            if spent is None:
                return None
            if self._engine.is_done(_PLACE):
                return self._result(spent, is_late=False)
        # Once more, as it is not known why it died or could not be made.
        self._start()
        if self._pid is not None:
            spent = client.wait_for_clone(self._pid)
            if spent is not None and self._engine.is_done(_PLACE):
                return self._result(spent, is_late=True)
        return self._failed()

    def _result(self, seconds: float, *, is_late: bool) -> CheckResult:
        self.blindness = ""  # it sees what those before it did not
        records = findings(self._engine, _PLACE, self._frames)
        records = placed([*records, *self._seen_by_guards()])
        self._engine.acknowledge(_PLACE)
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
        words = "leak check came to no end, as its clone of the process died or could not be made"
        self.hints.add(f"a {words}: what tests lost by then is found by the next check")
        self.blindness = f"The last {words}."
        return CheckResult([], in_process=True, seconds=0.0, is_late=True)
