"""Measures the memory of each test, writes it down, and fails the test that grew too much."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable, Generator
from pathlib import Path
from time import perf_counter  # by name, as tests replace the functions of the module

import pytest

from pytest_valgrind.memory_log import records
from pytest_valgrind.memory_log.records import MemoryOfTest
from pytest_valgrind.memory_log.resident_set import Resident, ResidentSet
from pytest_valgrind.memory_size import format_size
from pytest_valgrind.reporting.attributes import MEMORY, add_problem

#: Live bytes and blocks of the heap.
Heap = Callable[[], tuple[int, int]]
_NO_HEAP = (None, None)


class Recorder:
    """Watches the tests of this process.

    :param resident_set: knows the memory of the process.
    :param path: of the log, None if there is none.
    :param limit: bytes by which a test may grow, None if there is no limit.
    :param heap: of the native engine, None if that is not in the process.
    :param worker: the name of this worker of pytest-xdist, empty if it is none.
    """

    def __init__(
        self,
        resident_set: ResidentSet,
        path: Path | None,
        limit: float | None,
        heap: Heap | None = None,
        worker: str = "",
    ) -> None:
        self._resident_set = resident_set
        self._path = path
        self._limit = limit
        self._heap = heap
        self._worker = worker
        self._start = 0.0
        self._rss_start = 0
        self._heap_start: tuple[int | None, int | None] = _NO_HEAP
        self._outcome = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Begin to measure a test."""
        self._outcome = "passed"
        self._start = perf_counter()
        self._heap_start = self._heap() if self._heap else _NO_HEAP
        self._rss_start = self._resident_set.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the outcome of a phase; after the last one, measure."""
        report = yield
        self._outcome = _outcome(report) or self._outcome
        if call.when == "teardown":
            resident = self._resident_set.read()
            if self._limit is not None and resident.now - self._rss_start > self._limit:
                resident = self._settled(resident)
                if resident.now - self._rss_start > self._limit:
                    self._fail(report, resident)
            test = self._record(item.nodeid, resident)
            vars(report)[MEMORY] = test.values
            if self._path is not None:
                _write(self._path, test)
        return report

    def _settled(self, resident: Resident) -> Resident:
        """Measure again without garbage, and without what the C library keeps for later."""
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
            ctypes.CDLL(None).malloc_trim(0)
        return Resident(self._resident_set.read().now, resident.peak)

    def _fail(self, report: pytest.TestReport, resident: Resident) -> None:
        assert self._limit is not None
        growth = format_size(resident.now - self._rss_start)
        words = (
            f"Test was limited to a growth of {format_size(self._limit)} but grew by {growth}, "
            f"from {format_size(self._rss_start)} to {format_size(resident.now)} of resident memory"
        )
        add_problem(report, words)
        if report.failed:
            report.sections.append(("memory limit", words))
        else:
            report.outcome, report.longrepr = "failed", words
            self._outcome = "error"

    def _record(self, nodeid: str, resident: Resident) -> MemoryOfTest:
        heap_start, blocks_start = self._heap_start
        heap_end, blocks_end = self._heap() if self._heap else _NO_HEAP
        return MemoryOfTest(
            nodeid,
            self._outcome,
            round(perf_counter() - self._start, 6),
            self._rss_start,
            resident.now,
            resident.peak,
            heap_start,
            heap_end,
            blocks_start,
            blocks_end,
            self._worker,
        )


def _write(path: Path, test: MemoryOfTest) -> None:
    try:
        records.write(path, test)
    except OSError as error:
        raise pytest.UsageError(
            f"--memory-log: {path} cannot be written: {error.strerror}."
        ) from None


def _outcome(report: pytest.TestReport) -> str:
    """Return what a phase makes of the outcome of its test, empty if nothing."""
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return "skipped" if report.skipped else ""
