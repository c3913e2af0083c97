"""The check: one call that must leave nothing open, and many that must not need more memory."""

from __future__ import annotations

import gc
import linecache
import logging
import os
import sys
import threading
import unittest
import warnings
from array import array
from collections.abc import Callable, Mapping
from functools import partial
from itertools import repeat

from pytest_valgrind import running_on_valgrind
from pytest_valgrind.around_call.call_options import CallOptions
from pytest_valgrind.around_call.cyclic_garbage import CyclicGarbage
from pytest_valgrind.around_call.errors import MemoryLeakError, UncollectableGarbageError
from pytest_valgrind.around_call.growth import Growth, Verdict
from pytest_valgrind.around_call.memory_readings import LinuxReadings, MemoryReadings, readings
from pytest_valgrind.around_call.opened_by_call import nothing_opened

# Frames of these functions are not shown where a check fails.
__tracebackhide__ = True

#: Calls the function that is checked.
Call = Callable[[Callable[[], object]], object]
#: Takes a message, and how much of a detail it is: 0 is always of interest.
Log = Callable[[str, int], object]
#: Calls the function so often, and returns by how much each metric grew.
Measure = Callable[[Callable[[], object], int], Mapping[str, int]]

_warned: list[bool] = []


def name_of(function: Callable[..., object]) -> str:
    """Return the name of a function, method or class for a message."""
    name = getattr(function, "__qualname__", getattr(function, "__name__", str(function)))
    return str(name)


def bound(function: Callable[..., object], arguments: tuple[object, ...]) -> Callable[[], object]:
    """Return a function without arguments, which is the same if there are none."""
    return partial(function, *arguments) if arguments else function


class CallCheck:
    """Checks a function.

    :param call: calls it.
    :param measure: takes the place of :meth:`measure`.
    """

    def __init__(
        self, options: CallOptions, call: Call, log: Log, measure: Measure | None = None
    ) -> None:
        self._options = options.validated()
        self._call = call
        self._log = log
        self._measure = measure or self.measure
        self._readings: MemoryReadings | None = None

    def run(self, function: Callable[[], object]) -> None:
        """Check it.

        :raises unittest.SkipTest: if memory cannot be measured here.
        :raises Error: if it leaves something.
        """
        checkers = self._options.checkers
        if checkers.memory:
            self._get_ready()
        name = name_of(function)
        with (
            CyclicGarbage() if checkers.gcgarbage else _Nothing() as garbage,
            nothing_opened(name, checkers, lambda message: self._log(message, 0)),
        ):
            self._call(function)
        if found := garbage.found:
            raise UncollectableGarbageError(len(found), name, extras=found)
        if not checkers.memory:
            return
        for _ in range(self._options.warmup_times):
            self._call(function)
        if running_on_valgrind():
            # Live bytes are not known there: memcheck's own leak check looks at what is lost.
            for _ in range(self._options.times):
                self._call(function)
        else:
            self._see_growth(function)

    def measure(self, function: Callable[[], object], times: int) -> dict[str, int]:
        """Call it so often, and return by how much each metric grew."""
        assert self._readings is not None
        metrics, read_into = self._readings.metrics, self._readings.read_into
        count = len(metrics)
        kept = array("q", bytes(2 * count * 8))
        self._trim()
        read_into(kept, 0)
        for _ in repeat(None, times):  # no number that would be left in a variable
            self._call(function)
        self._trim()
        read_into(kept, count)
        return {metric: kept[count + at] - kept[at] for at, metric in enumerate(metrics)}

    def _get_ready(self) -> None:
        try:
            self._readings = readings()
        except ImportError:
            raise unittest.SkipTest(
                "memory is measured by psutil here: pip install pytest-valgrind[resources]"
            ) from None
        if self._readings.is_exact or running_on_valgrind():
            return
        if os.environ.get("PYTHONMALLOC", "") != "malloc":
            raise unittest.SkipTest("PYTHONMALLOC=malloc was not set")
        if not _warned:
            _warned.append(True)
            self._warn_of_noise()
            _fill_caches()

    def _warn_of_noise(self) -> None:
        found = self._readings
        if isinstance(found, LinuxReadings) and not found.knows_heap:
            warnings.warn(
                "heap_info() not available on this platform; memory leak detection may be less "
                "reliable",
                RuntimeWarning,
                stacklevel=2,
            )
        if threading.active_count() > 1:
            warnings.warn(
                "active Python threads exist before test; memory/thread counts may be unreliable: "
                f"{threading.enumerate()}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _see_growth(self, function: Callable[[], object]) -> None:
        assert self._readings is not None
        growth = Growth(self._options, is_exact=self._readings.is_exact)
        verdict = Verdict.OPEN
        while verdict is Verdict.OPEN:
            lines = len(growth.lines)
            verdict = growth.take(self._measure(function, growth.times))
            for line in growth.lines[lines:]:
                self._log(line, 1)
        if verdict is Verdict.FADED:
            self._log("Memory stabilized (growth per call faded)", 1)
        elif verdict is Verdict.LEAKS:
            raise MemoryLeakError(growth.message)

    def _trim(self) -> None:
        """Free what is not in use, in the program and below it."""
        if self._options.trim_callback is not None:
            self._options.trim_callback()
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
        for handler in logging.root.handlers:
            handler.flush()
        sys.path_importer_cache.clear()
        linecache.clearcache()
        gc.collect()
        if gc.garbage:
            raise AssertionError(f"GC garbage is not empty: {gc.garbage}")
        for name in ("_clear_internal_caches", "_clear_type_cache"):  # the former from 3.13 on
            if clear := getattr(sys, name, None):
                clear()
                break
        assert self._readings is not None
        self._readings.trim()


class _Nothing:
    """Stands where garbage is not looked at."""

    found: tuple[object, ...] = ()

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass


def _fill_caches() -> None:
    """Fill the interpreter's caches of characters and small numbers (CPython's refleak.py)."""
    every = bytes(range(256))
    for start in range(256):
        every[start : start + 1]
    [chr(code) for code in range(256)]
    list(range(-5, 257))
