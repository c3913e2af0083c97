"""The resident set of this process: the bytes of memory that it has now, and had at most.

Linux says it in /proc/self (proc_pid_status(5)); the peak begins anew when 5 is written to
/proc/self/clear_refs (proc_pid_clear_refs(5), since Linux 4.0). Elsewhere psutil is asked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = b"5"
_NOW, _PEAK = b"\nVmRSS:", b"\nVmHWM:"


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
    """By /proc; it takes some 30 microseconds to read."""

    def __init__(self) -> None:
        self._knows_peak = self._reset_peak()

    def start(self) -> int:
        """Have the peak begin anew, and return the bytes that are resident now."""
        if self._knows_peak:
            self._knows_peak = self._reset_peak()
        return _value(_read_status(), _NOW)

    def read(self) -> Resident:
        """Return what is resident."""
        status = _read_status()
        now = _value(status, _NOW)
        # The kernel may not have noted the last pages yet.
        peak = max(now, _value(status, _PEAK)) if self._knows_peak else None
        return Resident(now, peak)

    def _reset_peak(self) -> bool:
        """Return whether the peak was reset: a container may have /proc read-only."""
        try:
            with _CLEAR.open("wb", buffering=0) as file:
                file.write(_RESET_PEAK)
        except OSError:
            return False
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


def _read_status() -> bytes:
    with _STATUS.open("rb", buffering=0) as file:
        return file.read()


def _value(status: bytes, name: bytes) -> int:
    """Return a value of /proc/self/status, which is in kB, in bytes."""
    _, _, rest = status.partition(name)
    return int(rest.split(None, 1)[0]) * 1024
