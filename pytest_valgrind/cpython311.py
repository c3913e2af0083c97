"""CPython 3.11's tainted ints, and what is done about them: see csrc/cpython311.c."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

_WRITABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw")
# Valgrind lays its own memory above this (its source, aspacemgr-linux.c, for 64 bits), and the
# tool itself at the other.
_OF_VALGRIND = 0x10_0000_0000
_TOOL = range(0x5800_0000, 0x6000_0000)


def preloadable_repair() -> Path | None:
    """Return the shared object that keeps ints untainted from the start, None if not 3.11."""
    if sys.version_info[:2] != (3, 11):
        return None
    return next(Path(__file__).parent.glob("_cpython311*.so"), None)


def repair_late() -> int:
    """Untaint the ints of this process, which has begun without the repair.

    Takes about a second; returns how many pointers were tainted.
    """
    path = preloadable_repair()
    if path is None:
        return 0
    untaint = ctypes.CDLL(str(path)).pvg_untaint
    untaint.argtypes = [ctypes.c_size_t] * 3
    untaint.restype = ctypes.c_ulong
    zero = id(0)
    untainted = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        if match := _WRITABLE.match(line):
            start, end = (int(address, 16) for address in match.groups())
            if start < _OF_VALGRIND and start not in _TOOL:
                untainted += untaint(start, end, zero)
    return untainted
