"""What memcheck sees of a test that runs once more."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from types import FrameType

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.memcheck.block_list import explain_addresses
from pytest_valgrind.memcheck.clone import Clone
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.pinpoint.local_references import drop_locals
from pytest_valgrind.pinpoint.observer import Lost

#: A place for a clone that nobody else uses.
_PLACE = 2


class MemcheckObserver:
    """Reads the log of the forked process.

    :param monitor: of the process that is forked.
    """

    # A run takes many times as long as a check, so there are few runs.
    seconds = 8.0

    def __init__(self, monitor: MemcheckMonitor) -> None:
        self._monitor = monitor
        self._leaks = monitor

    def forked(self, pid: int) -> None:
        """Know its log for one that is no test's."""
        self._monitor.own_processes.add(pid)

    def ended(self, pid: int) -> None:
        """Leave no log behind."""
        self._monitor.forget_clone(pid)

    def begin(self) -> None:
        """Read the log of this process from here on."""
        info, functions = self._monitor.info, self._monitor.functions
        if info.log_names and info.logs_processes_apart:
            info = info._replace(log=info.log_names.of_fork(os.getpid()))
        self._monitor = MemcheckMonitor(info, frozenset(), functions)
        self._leaks = MemcheckMonitor(info, frozenset({Kind.DEFINITE}), functions)
        # What is found in child processes has no line of Python here.
        client.log_forks(False)
        client.change_option("--trace-children=no")
        # What was lost before is not listed again by the clones' checks.
        client.leak_check()

    def count_errors(self) -> int:
        """Return valgrind's counter."""
        return client.count_errors()

    def errors(self, where: str, phase: str) -> Sequence[Finding]:
        """Return the errors since the last call."""
        return self._monitor.errors(where, phase)

    def lost(self, frames: Sequence[FrameType] = ()) -> list[Lost]:
        """Return what a clone lists in its log."""
        dropped: Counter[int] = Counter()
        clone = Clone(
            _PLACE,
            untracks=True,
            prepare=partial(drop_locals, frames, dropped),
            explains=partial(explain_addresses, dropped=dropped),
        )
        with contextlib.suppress(OSError):
            clone.start(self._leaks, waits=False)
            checked = clone.reap(self._leaks, 0)
            # What is in the log by now is not of the test.
            self._monitor.skip()
            if checked is not None:
                return [lost for found in checked.records for lost in Lost.parts_of(found)]
        return []

    def stack(self, finding: Finding) -> list[str]:
        """Return the extension's part of its stack."""
        return list(finding.stack_of_extension)
