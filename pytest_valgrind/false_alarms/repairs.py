"""False alarms repaired at their source (csrc/repairs.c), in a process that is running already."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_WRITABLE = r"([0-9a-f]+)-([0-9a-f]+) rw"
# Valgrind lays its own memory above this (aspacemgr-linux.c in its source, for 64 bits), and the
# tool itself into that range.
_OF_VALGRIND = 0x10_0000_0000
_TOOL = range(0x5800_0000, 0x6000_0000)


def apply_late(errors_so_far: int) -> None:
    """Repair this process, which was started without the repairs.

    On CPython 3.11 this takes about a second if ints have been tainted.
    """
    from pytest_valgrind import preload

    path = preload.repairs()
    if path is None:
        return
    import ctypes  # takes a while under valgrind, mostly for nothing

    repairs = ctypes.CDLL(str(path))
    if errors_so_far == 0 or sys.version_info[:2] != (3, 11):
        return
    untaint = repairs.pvg_untaint
    untaint.argtypes = [ctypes.c_size_t] * 3
    untaint.restype = ctypes.c_ulong
    zero = id(0)
    for line in Path("/proc/self/maps").read_text().splitlines():
        if match := re.match(_WRITABLE, line):
            start, end = (int(address, 16) for address in match.groups())
            if start < _OF_VALGRIND and start not in _TOOL:
                untaint(start, end, zero)
