"""Running threads: those that Python knows, and others."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep  # by name, as tests replace the functions of the module

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.resources.openings import Opening

_TASKS = "/proc/self/task"
# Seconds that a thread may take for its end once it has been joined, and between two looks.
_PATIENCE = 0.05
_PAUSE = 0.001
_LINKS_OF_ONE = 3


class Threads:
    """The threads that Python's ``threading`` knows."""

    kind = Kind.THREAD

    def read(self) -> frozenset[threading.Thread]:
        """Return those that run."""
        return frozenset(threading.enumerate())

    def settled(self, new: frozenset[threading.Thread]) -> frozenset[threading.Thread]:
        """Return those that still run a moment later."""
        end = monotonic() + _PATIENCE
        while (left := new & self.read()) and monotonic() < end:
            sleep(_PAUSE)
        return left

    def describe(self, thing: threading.Thread) -> str:
        """Return its name, and the function that it runs: a name by default has that in it."""
        runs = getattr(getattr(thing, "_target", None), "__qualname__", "")
        runs = f", which runs {runs}" if runs and f"({runs})" not in thing.name else ""
        return f"{'daemon ' if thing.daemon else ''}{thing.name}{runs}"

    def where(self, thing: threading.Thread, openings: Sequence[Opening]) -> Stack:
        """Return where it was started; before Python 3.12 there is no event for it."""
        return next((opening.stack for opening in openings if _is_of(opening, thing)), ())


class AllThreads:
    """All threads of the process but the main one, as the kernel has them."""

    kind = Kind.NATIVE_THREAD

    def read(self) -> frozenset[int]:
        """Return the thread ids; none where there is no /proc."""
        if sys.platform != "linux":
            return frozenset()
        # A directory has a link more for each directory in it, and two of its own (stat(2)).
        if os.stat(_TASKS).st_nlink == _LINKS_OF_ONE:  # noqa: PTH116 (half the time)
            return frozenset()
        tids = frozenset(map(int, os.listdir(_TASKS)))  # noqa: PTH208 (names will do)
        return tids - {os.getpid()}

    def settled(self, new: frozenset[int]) -> frozenset[int]:
        """Return those that still run a moment later: a joined thread is not gone at once."""
        end = monotonic() + _PATIENCE
        while (left := new & self.read()) and monotonic() < end:
            sleep(_PAUSE)
        return left

    def describe(self, thing: int) -> str:
        """Return its number, and its name (prctl(2), PR_SET_NAME)."""
        name = ""
        with contextlib.suppress(OSError):
            name = Path(_TASKS, str(thing), "comm").read_text().strip()
        return f"number {thing}, {name}" if name else f"number {thing}"

    def where(self, thing: int, openings: Sequence[Opening]) -> Stack:  # noqa: ARG002
        """Return nothing: C code may have started it."""
        return ()


class NativeThreads(AllThreads):
    """Those that C code has started: Python knows nothing of them."""

    def read(self) -> frozenset[int]:
        """Return the thread ids; none where there is no /proc."""
        tids = super().read()
        # Of a Python thread that is starting, Python does not know the number yet: settled().
        return tids and tids - {thread.native_id for thread in threading.enumerate()}


def _is_of(opening: Opening, thread: threading.Thread) -> bool:
    return isinstance(opening.what, weakref.ref) and opening.what() is thread
