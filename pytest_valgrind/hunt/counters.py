"""What grows where something leaks: counters of the process, read between repetitions."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from array import array
from collections.abc import Callable, Iterator
from time import monotonic, sleep  # by name, as tests replace the functions of the module

from pytest_valgrind import client
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.hunt.untracked import Untracked

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

    :param freezes: whether objects are frozen (``gc.freeze``) while something is repeated.
    :param counts_items: whether a debug build's own number of references is to tell of references
        to what lives for ever as well, by items; it does not, from 3.12 on (PEP 683).
    """

    def __init__(self, *, freezes: bool, counts_items: bool = False) -> None:
        self._freezes = freezes
        self._counts_items = counts_items and freezes and sys.version_info >= (3, 12)
        try:
            self._engine: Engine | None = Engine()
        except RuntimeError:
            self._engine = None
        self._total_references: Callable[[], int] | None = getattr(sys, "gettotalrefcount", None)
        # On 3.12 alone, all interned strings are immortal: that is the interpreter's doing, and
        # CPython's own hunt takes them off as well (Lib/test/libregrtest/refleak.py).
        is_3_12 = sys.version_info[:2] == (3, 12)
        self._interned: Callable[[], int] = (
            getattr(sys, "getunicodeinternedsize", int) if is_3_12 else int
        )
        #: What the collector does not know, as far as it is counted.
        self.untracked = Untracked()
        self._before = 0

    def read(self, into: Reading[int]) -> None:
        """Read all of them; garbage is to be collected before."""
        into[REFERENCES] = self._references()
        # The last thing that allocates comes before the blocks are counted.
        into[THREADS] = self._count_threads()
        into[DESCRIPTORS] = self.descriptors()
        if self._engine is not None:
            into[MAPPED] = self.mapped()
            into[HEAP], blocks = self._engine.counters()[:2]
            into[BLOCKS] = blocks - self._interned()
            return
        # Valgrind maps what it needs itself.
        mapped = 0 if client.running_on_valgrind() else _mapped_bytes()
        into[BLOCKS] = sys.getallocatedblocks() - self._interned()
        into[HEAP], held = client.count_malloc()
        into[MAPPED] = mapped and mapped - held

    @property
    def are_watched(self) -> bool:
        """Whether an engine sees each block that is lost."""
        return self._engine is not None or bool(client.running_on_valgrind())

    def allocated(self) -> int:
        """Return the bytes that are allocated by way of malloc."""
        if self._engine is not None:
            return self._engine.counters().bytes
        return client.count_malloc().allocated

    def mapped(self) -> int:
        """Return the bytes that are mapped, but by malloc."""
        if self._engine is not None:
            return self._engine.mapping_counters().bytes
        if client.running_on_valgrind():  # which maps what it needs itself
            return 0
        return _mapped_bytes() - client.count_malloc().held

    def descriptors(self) -> int:
        """Return how many descriptors are open; before Linux 6.2, one more."""
        found = _status("/proc/self/fd")
        return found.st_size or _entries("/proc/self/fd") if found else 0

    def threads(self) -> int:
        """Return how many threads run; one that was joined may still come to its end."""
        # A directory for each, and a link to it from there and from the directory around it.
        found = _status("/proc/self/task")
        return found.st_nlink - 2 if found else 0

    def objects(self) -> list[object]:
        """Return all objects that the garbage collector knows."""
        # What is frozen is in no list.
        with self.unfrozen():
            return gc.get_objects()

    @contextlib.contextmanager
    def unfrozen(self) -> Iterator[None]:
        """Let the collector know all objects for a while."""
        if not self._freezes:
            yield
            return
        gc.unfreeze()
        try:
            yield
        finally:
            gc.freeze()

    def _references(self) -> int:
        if self._total_references is not None:
            items = client.sum_frozen_items(gc.freeze) if self._counts_items else 0
            return self._total_references() + items
        # Without a list of them, which takes ten times as long, if that can be.
        total = client.sum_frozen_references(gc.freeze) if self._freezes else -1
        if total < 0:
            total = client.sum_references(self.objects())
        return total + self.untracked.references()

    def _count_threads(self) -> int:
        count = self.threads()
        if count > self._before:
            end = monotonic() + _THREAD_ENDS
            while count > self._before and monotonic() < end:
                sleep(_THREAD_ENDS / 50)
                count = self.threads()
        self._before = count
        return count


def _status(directory: str) -> os.stat_result | None:
    """Return what the kernel says of a directory (proc(5)): that is faster than to list it."""
    try:
        return os.stat(directory)  # noqa: PTH116 (a path would be made each time)
    except OSError:  # not on Linux
        return None


def _entries(directory: str) -> int:
    return len(os.listdir(directory))  # noqa: PTH208 (names are enough)


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
