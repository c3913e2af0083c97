"""A clone of the process, in which memcheck looks for leaks while the process goes on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from time import process_time

from pytest_valgrind import client
from pytest_valgrind.leaks.backend import CheckResult
from pytest_valgrind.memcheck.block_list import explain
from pytest_valgrind.memcheck.monitor import MemcheckMonitor


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

    def start(self, monitor: MemcheckMonitor, *, waits: bool) -> None:
        """Start it.

        :raises OSError: if there cannot be another process.
        """
        self._mark = monitor.mark()
        log = monitor.log_of_clone
        self._pid = client.clone(
            self._which,
            waits,
            self._untracks,
            self._prepare,
            partial(self._explain_all, monitor, log) if log else None,
            os.fsencode(log),
            0 if monitor.info.logs_processes_apart else self._mark,
        )
        monitor.own_processes.add(self._pid)

    def _explain_all(self, monitor: MemcheckMonitor, log: str) -> None:
        self._explain(log)
        monitor.note_suppressions()

    def wake(self) -> None:
        """Have it check, if it waits."""
        client.wake_clone(self._which)

    def kill(self, monitor: MemcheckMonitor) -> None:
        """End it."""
        if (pid := self._pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            client.wait_for_clone(pid)
            self._pid = None
            monitor.forget_clone(pid)

    def reap(self, monitor: MemcheckMonitor, options: int) -> CheckResult | None:
        """Return what it found, None if it is at work or has died."""
        pid = self._pid
        assert pid is not None
        spent = client.wait_for_clone(pid, options)
        if spent is None:
            return None
        self._pid = None
        if not client.clone_has_checked(self._which):
            return None
        start = process_time()
        records = monitor.leaks_of_clone(pid, self._mark, client.clone_leaked(self._which))
        seconds = process_time() - start + spent
        return CheckResult(records, in_process=False, seconds=seconds)
