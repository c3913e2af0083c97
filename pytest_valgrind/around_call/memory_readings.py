"""How much memory this process has, in bytes: by the native engine exactly, else by the system."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from array import array
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pytest_valgrind.around_call.call_options import METRICS

_STATM = Path("/proc/self/statm")
_ROLLUP = Path("/proc/self/smaps_rollup")
_PRIVATE = re.compile(rb"^Private_(?:Clean|Dirty|Hugetlb): +(\d+) kB", re.MULTILINE)


class MemoryReadings(Protocol):
    """Reads how much memory there is."""

    #: Whether two readings differ only by what happened between them.
    is_exact: bool

    metrics: tuple[str, ...]

    def read_into(self, kept: array[int], start: int) -> None:
        """Put the numbers of now, in the order of the metrics, into a place that is there already.

        An object for each would count as memory at the next reading.
        """

    def trim(self) -> None:
        """Give memory back that is free already."""


class EngineReadings:
    """The live blocks and mappings of the native heap engine.

    :raises RuntimeError: if it is not in this process.
    """

    is_exact = True
    metrics: tuple[str, ...] = ("heap", "mmap")

    def __init__(self) -> None:
        # Here, as the compiled module need not be there.
        from pytest_valgrind.heap.engine import Engine

        self._engine = Engine()

    def read_into(self, kept: array[int], start: int) -> None:
        """Keep the bytes of live blocks and of mappings."""
        kept[start] = self._engine.counters().bytes
        kept[start + 1] = self._engine.mapping_counters().bytes

    def trim(self) -> None:
        """Do nothing: what is free does not count."""


class LinuxReadings:
    """What Linux and the C library say."""

    is_exact = False
    metrics: tuple[str, ...] = METRICS

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGESIZE")
        library = ctypes.CDLL(None)
        self._mallinfo = self._trim = None
        with contextlib.suppress(AttributeError):  # musl, or a glibc before 2.33
            self._mallinfo = library.mallinfo2
            self._mallinfo.restype = _Mallinfo2
            self._trim = library.malloc_trim

    @property
    def knows_heap(self) -> bool:
        """Whether the C library says how much of its heap is in use."""
        return self._mallinfo is not None

    def read_into(self, kept: array[int], start: int) -> None:
        """Keep the bytes in use of the heap and of its maps, and those of the whole process."""
        found = self._mallinfo() if self._mallinfo else _Mallinfo2()
        size, resident, *_ = map(int, _STATM.read_bytes().split())
        kept[start] = found.uordblks
        kept[start + 1] = found.hblkhd
        kept[start + 2] = sum(map(int, _PRIVATE.findall(_ROLLUP.read_bytes()))) * 1024
        kept[start + 3] = resident * self._page
        kept[start + 4] = size * self._page

    def trim(self) -> None:
        """Give free heap memory back to the system."""
        if self._trim:
            self._trim(0)


class _Mallinfo2(ctypes.Structure):
    """See mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


class PsutilReadings:
    """What psutil says, on other systems.

    :raises ImportError: if it is not installed.
    """

    is_exact = False
    metrics: tuple[str, ...] = METRICS

    def __init__(self) -> None:
        self._psutil: Any = import_module("psutil")
        self._process = self._psutil.Process()

    def read_into(self, kept: array[int], start: int) -> None:
        """Keep the same; what a system does not say is 0."""
        heap = self._psutil.heap_info() if hasattr(self._psutil, "heap_info") else None
        whole = self._process.memory_full_info()
        kept[start] = getattr(heap, "heap_used", 0)
        kept[start + 1] = getattr(heap, "mmap_used", 0)
        kept[start + 2] = getattr(whole, "uss", 0)
        kept[start + 3] = whole.rss
        kept[start + 4] = whole.vms

    def trim(self) -> None:
        """Give free heap memory back to the system."""
        if hasattr(self._psutil, "heap_trim"):
            self._psutil.heap_trim()


def readings() -> MemoryReadings:
    """Return the best that there is here.

    :raises ImportError: if it needs psutil, and that is not installed.
    """
    with contextlib.suppress(ImportError, RuntimeError):
        return EngineReadings()
    return LinuxReadings() if sys.platform == "linux" else PsutilReadings()
