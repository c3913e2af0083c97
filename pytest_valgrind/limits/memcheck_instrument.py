"""Limits under valgrind: what is in use is counted, and memcheck says which place has left it."""

from __future__ import annotations

import contextlib
import gc
import os
import re
from functools import partial

import pytest

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.heap.numbers_of_engine import Usage
from pytest_valgrind.limits.instrument import Watch
from pytest_valgrind.limits.leak_watch import judged
from pytest_valgrind.limits.limit_marks import LeakLimit, MemoryLimit
from pytest_valgrind.limits.problem import Problem
from pytest_valgrind.limits.stacks import Allocations, Stack, StackFrame
from pytest_valgrind.limits.waiting_fork import WaitingFork
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.memcheck.python_functions import NumberedFunctions

#: Seconds that a test may take which runs once more.
_LONGEST = 600.0
#: Of a lost block, memcheck adds what only this block has pointed to, which has a place of its own.
_DIRECT = re.compile(r"\(([\d,]+)(?: \(([+-][\d,]+)\))? direct, ")
#: Where mappings are from nobody knows.
_MAPPINGS = Stack((StackFrame("mmap", "???", 0),))
_WITH_PLACES = (Owner.EXTENSION, Owner.LIBRARY, Owner.LIBC, Owner.PYTHON)


class MemcheckInstrument:
    """What csrc/counting_*.c counts in this process, and memcheck's leak check.

    :param monitor: of this process.
    """

    def __init__(self, monitor: MemcheckMonitor) -> None:
        self._monitor = monitor

    def usage(self) -> Usage:
        """Return what is in use."""
        return Usage(*client.counts()[: len(Usage._fields)])

    def reset_peaks(self) -> None:
        """Take what is in use now for the most so far: of the process, and of this thread."""
        client.reset_counted_peaks()

    def begin_test(self) -> None:
        """Do nothing: a test is not told from another by its blocks."""

    def end_test(self) -> None:
        """Do nothing."""

    def watch(self, item: pytest.Item, limit: LeakLimit) -> Watch:
        """Return what sees where a test leaves memory allocated."""
        return _GrowthWatch(self, self._monitor, item, limit)

    def allocations_at_peak(
        self,
        item: pytest.Item,  # noqa: ARG002
        limit: MemoryLimit,  # noqa: ARG002
        used: int,  # noqa: ARG002
    ) -> list[Allocations]:
        """Return nothing: memcheck says no more than what there is at a time."""
        return []


class _GrowthWatch:
    """Sees that no place can have left too much, as the whole test has not; else it runs again.

    A fork, made before the test, waits for that. Loss records, and which of them have grown, are
    one list for each process: in the fork nobody else misses them.
    """

    def __init__(
        self,
        instrument: MemcheckInstrument,
        monitor: MemcheckMonitor,
        item: pytest.Item,
        limit: LeakLimit,
    ) -> None:
        self._instrument = instrument
        self._monitor = monitor
        self._limit = limit
        self._before = self._mapped_before = 0
        work = partial(_left_allocated, monitor, item, limit.bytes)
        self._fork: WaitingFork | None = WaitingFork(item, work, _LONGEST)
        monitor.own_processes.add(self._fork.pid)

    def begin(self) -> None:
        """Note what there is before the call."""
        self._before, self._mapped_before = self._bytes(), self._mapped()

    def end(self) -> list[Problem]:
        """Return what is wrong after the call."""
        if not self._may_be_too_much():
            return []
        gc.collect()  # a cycle is no leak
        if not self._may_be_too_much() or self._fork is None:
            return []
        fork, self._fork = self._fork, None
        seen = fork.answer()
        self._monitor.forget_clone(fork.pid)
        if seen is None:
            return [Problem("Where the test leaves memory is not known: its second run has died")]
        found = [
            Allocations(size, Stack(tuple(StackFrame(*frame) for frame in frames)))
            for size, frames in seen
        ]
        if not self._limit.current_thread_only:
            found.append(Allocations(self._mapped() - self._mapped_before, _MAPPINGS))
        return judged(found, self._limit)

    def drop(self) -> None:
        """End what is not needed any more."""
        if self._fork is not None:
            self._fork.drop()
            self._monitor.forget_clone(self._fork.pid)
            self._fork = None

    def _may_be_too_much(self) -> bool:
        return self._bytes() - self._before >= self._limit.bytes

    def _bytes(self) -> int:
        usage = self._instrument.usage()
        return usage.thread_bytes if self._limit.current_thread_only else usage.bytes

    @staticmethod
    def _mapped() -> int:
        counts = client.counts()
        return counts.bytes - counts.heap_bytes


def _left_allocated(
    monitor: MemcheckMonitor, item: pytest.Item, least: float
) -> list[tuple[int, list[StackFrame]]]:
    """Run the call of a test in a fork, and return what has grown, with the stacks.

    :param least: bytes by which a place must have grown.
    """
    own = monitor.in_fork(os.getpid())
    if own.functions is None:
        with contextlib.suppress(OSError, RuntimeError):  # then all of Python is one place
            own.name_functions(NumberedFunctions(None))
    client.log_forks(False)
    client.leak_check()  # what grows from here on is the test's
    with contextlib.suppress(BaseException):  # the test has passed, and is not judged here
        item.runtest()
    gc.collect()
    grown = ((_bytes_of(found), found) for found in own.grown())
    return [(size, _frames(found)) for size, found in grown if size >= least]


def _bytes_of(found: Finding) -> int:
    """Return by how much a loss record has grown, without what its blocks have pointed to."""
    if direct := _DIRECT.search(found.message):
        return int((direct[2] or direct[1]).replace(",", ""))
    return found.bytes


def _frames(found: Finding) -> list[StackFrame]:
    """Return those of C and of Python, but not the interpreter's."""
    return [
        StackFrame(frame.function, _file(frame), frame.line or 0)
        for frame in found.stack
        if frame.owner in _WITH_PLACES
    ]


def _file(frame: Frame) -> str:
    return frame.path or frame.file or frame.object or "???"
