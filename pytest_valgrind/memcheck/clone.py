"""A clone of the process, in which memcheck looks for leaks while the process goes on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import TYPE_CHECKING

from pytest_valgrind import client
from pytest_valgrind.leaks.backend import CheckResult
from pytest_valgrind.memcheck.block_list import explain
from pytest_valgrind.memcheck.monitor import MemcheckMonitor

if TYPE_CHECKING:
    import resource

# As C's int has it (waitpid(2)): wait for a child that sends no SIGCHLD.
_WCLONE = -0x80000000


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
            self._wait(0)
            monitor.forget_clone(pid)

    def reap(self, monitor: MemcheckMonitor, options: int) -> CheckResult | None:
        """Return what it found, None if it is at work or has died."""
        pid = self._pid
        usage = self._wait(options)
        if pid is None or self.is_alive or not client.clone_has_checked(self._which):
            return None
        start = process_time()
        records = monitor.leaks_of_clone(pid, self._mark, client.clone_leaked(self._which))
        seconds = process_time() - start
        if usage:
            # Of the pages that both write to, the process has about as many to copy as the clone.
            seconds += usage.ru_utime + 2 * usage.ru_stime
        return CheckResult(records, in_process=False, seconds=seconds)

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
