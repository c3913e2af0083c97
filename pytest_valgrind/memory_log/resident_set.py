"""The resident set of this process: the bytes of memory that it has now, and had at most.

Linux says it in /proc/self (proc_pid_statm(5)); the peak begins anew when 5 is written to
/proc/self/clear_refs (proc_pid_clear_refs(5), since Linux 4.0). Elsewhere psutil is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pytest

_STATM = "/proc/self/statm"
_STATUS = "/proc/self/status"
_CLEAR = "/proc/self/clear_refs"
_RESET_PEAK = b"5"
_PEAK = b"\nVmHWM:"
#: Bytes that either file has at most.
_LENGTH = 8192


class Resident(NamedTuple):
    """The resident set, in bytes."""

    now: int
    #: Since the last :meth:`ResidentSet.start`, None where the system does not say.
    peak: int | None


class ResidentSet(Protocol):
    """Knows the resident set of this process.

    It keeps nothing open: a test may close all descriptors, and a fork is another process.
    """

    def start(self) -> int:
        """Have the peak begin anew, and return the bytes that are resident now."""

    def read(self) -> Resident:
        """Return what is resident."""


class OfLinux:
    """By /proc, with as few system calls as may be: it is asked twice for each test.

    The peak is in /proc/self/status, whose other lines take most of its 20 microseconds.
    getrusage(2) takes two and has the same number, unless the process had more before an execve(2)
    (``signal->maxrss`` in the kernel's exec.c): then its number never falls below that.
    """

    def __init__(self) -> None:
        # No module of Windows.
        from resource import RUSAGE_SELF, getrusage

        self._most: Callable[[], int] = lambda: getrusage(RUSAGE_SELF).ru_maxrss * 1024
        self._page = os.sysconf("SC_PAGESIZE")
        self._knows_peak = self._reset_peak()
        #: What was there before an execve(2) is no more than this, as the peak has begun anew.
        self._untold = self._most()

    def start(self) -> int:
        """Have the peak begin anew, and return the bytes that are resident now."""
        if self._knows_peak:
            self._knows_peak = self._reset_peak()
        return self._now()

    def read(self) -> Resident:
        """Return what is resident."""
        now = self._now()
        if not self._knows_peak:
            return Resident(now, None)
        peak = self._most()
        if peak <= self._untold:
            peak = _peak_of(_read(_STATUS))
        # The kernel may not have noted the last pages yet.
        return Resident(now, max(now, peak))

    def _now(self) -> int:
        return int(_read(_STATM).split(None, 2)[1]) * self._page

    def _reset_peak(self) -> bool:
        """Return whether the peak was reset: a container may have /proc read-only."""
        try:
            descriptor = os.open(_CLEAR, os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            os.write(descriptor, _RESET_PEAK)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


class OfPsutil:
    """By psutil, which does not know the peak since a point in time.

    :raises ImportError: if it is not installed.
    """

    def __init__(self) -> None:
        import psutil  # type: ignore[import-untyped,unused-ignore]

        self._info: Any = psutil.Process().memory_info

    def start(self) -> int:
        """Return the bytes that are resident now."""
        return int(self._info().rss)

    def read(self) -> Resident:
        """Return what is resident."""
        return Resident(self.start(), None)


def resident_set() -> ResidentSet:
    """Return what knows the resident set here.

    :raises pytest.UsageError: if nothing does.
    """
    if sys.platform == "linux":
        return OfLinux()
    try:
        return OfPsutil()
    except ImportError:
        raise pytest.UsageError(
            "--memory-log and --memory-limit need psutil here: pip install psutil."
        ) from None


def _read(path: str) -> bytes:
    # A file object takes twice as long.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LENGTH)
    finally:
        os.close(descriptor)


def _peak_of(status: bytes) -> int:
    """Return the peak that /proc/self/status tells in kB, in bytes."""
    _, _, rest = status.partition(_PEAK)
    return int(rest.split(None, 1)[0]) * 1024
