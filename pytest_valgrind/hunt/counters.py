"""What grows where something leaks: counters of the process, read between repetitions."""

from __future__ import annotations

import gc
import os
import sys
from array import array
from collections.abc import Callable
from time import monotonic, sleep  # by name, as tests replace the functions of the module

from pytest_valgrind import client
from pytest_valgrind.heap.engine import Engine

#: As they are called in reports, in the order in which they are read; those of pytest-leaks have
#: its names.
NAMES = (
    "references",
    "memory blocks",
    "heap bytes",
    "mapped bytes",
    "file descriptors",
    "threads",
)
REFERENCES, BLOCKS, HEAP, MAPPED, DESCRIPTORS, THREADS = range(len(NAMES))
#: Those of which a process may have so few that a leak soon ends it.
SCARCE = (DESCRIPTORS, THREADS)
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Seconds that a thread may take for its end once Python has joined it.
_THREAD_ENDS = 0.05

#: A value for each name.
Reading = array  # of "q", as ints on the heap would themselves be blocks that come and go


class Counters:
    """Reads the counters of this process.

    With the native engine loaded, blocks and bytes are its exact numbers; else those of CPython's
    allocator for small objects, and of the C library.
    """

    def __init__(self) -> None:
        try:
            self._engine: Engine | None = Engine()
        except RuntimeError:
            self._engine = None
        self._total_references: Callable[[], int] | None = getattr(sys, "gettotalrefcount", None)
        self._threads = 0

    def read(self, into: Reading[int], *, references: bool = True) -> None:
        """Read all of them; garbage is to be collected before.

        :param references: whether to count references, which takes as long as all else together.
        """
        if references:
            into[REFERENCES] = self._references()
        # The last thing that allocates comes before the blocks are counted.
        into[THREADS] = self._count_threads()
        into[DESCRIPTORS] = _entries("/proc/self/fd")
        if self._engine is not None:
            into[BLOCKS], into[HEAP] = self._engine.counters()[1::-1]
            into[MAPPED] = self._engine.mapping_counters().bytes
        else:
            into[BLOCKS] = sys.getallocatedblocks()
            into[HEAP], held = client.count_malloc()
            into[MAPPED] = _mapped_bytes() - held

    def allocated(self) -> int:
        """Return the bytes that are allocated by way of malloc."""
        if self._engine is not None:
            return self._engine.counters().bytes
        return client.count_malloc().allocated

    def _references(self) -> int:
        if self._total_references is not None:
            return self._total_references()
        # What is frozen is in no list of objects.
        frozen = gc.get_freeze_count()
        if frozen:
            gc.unfreeze()
        count = client.sum_references(gc.get_objects())
        if frozen:
            gc.freeze()
        return count

    def _count_threads(self) -> int:
        count = _entries("/proc/self/task")
        if count > self._threads:
            end = monotonic() + _THREAD_ENDS
            while count > self._threads and monotonic() < end:
                sleep(_THREAD_ENDS / 50)
                count = _entries("/proc/self/task")
        self._threads = count
        return count


def _entries(directory: str) -> int:
    try:
        return len(os.listdir(directory))
    except OSError:  # not on Linux
        return 0


def _mapped_bytes() -> int:
    """Return the size of the address space, in bytes (proc(5), statm)."""
    try:
        file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(file, 64).split()[0]) * _PAGE
    finally:
        os.close(file)


def new_reading() -> Reading[int]:
    """Return a reading of zeros."""
    return array("q", bytes(8 * len(NAMES)))
