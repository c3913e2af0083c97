"""False alarms that are mended at their source: see csrc/repairs.c."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_WRITABLE = r"([0-9a-f]+)-([0-9a-f]+) rw"
# Valgrind lays its own memory above this (aspacemgr-linux.c in its source, for 64 bits), and the
# tool itself into that range.
_OF_VALGRIND = 0x10_0000_0000
_TOOL = range(0x5800_0000, 0x6000_0000)


def preloadable() -> Path | None:
    """Return the shared object with the repairs, None if it was not built."""
    return next(Path(__file__).parent.glob("_repairs*.so"), None)


def preloaded(directory: Path) -> dict[str, str]:
    """Return what the environment must hold for a process that is repaired from its start on.

    :param directory: where a link may be put, under a name without spaces and colons, which
        LD_PRELOAD takes for separators.
    """
    if (repairs := preloadable()) is None:
        return {}
    link = directory / "repairs.so"
    link.symlink_to(repairs)
    return {"LD_PRELOAD": f"{link} {os.environ.get('LD_PRELOAD', '')}".strip()}


def apply_late(errors_so_far: int) -> None:
    """Repair this process, which was started without the repairs.

    On CPython 3.11 this takes about a second if ints have been tainted.
    """
    path = preloadable()
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
