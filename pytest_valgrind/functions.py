"""Functions of Python's in native stacks.

From 3.12 on, the interpreter can give each function a piece of machine code of its own, through
which valgrind's unwinder goes, and names it in a map for perf (``sys.activate_stack_trampoline``;
Python's documentation, "Python support for the Linux perf profiler").
"""

from __future__ import annotations

import bisect
import contextlib
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

# Where the interpreter writes it, and nowhere else (PyUnstable_PerfMapState_Init in sysmodule.c).
_MAP = "/tmp/perf-{}.map"
_ENTRY = re.compile(rb"^([0-9a-f]+) ([0-9a-f]+) py::([^:\n]*):([^\n]*)$", re.MULTILINE)


class PythonFunction(NamedTuple):
    """A function of Python's."""

    name: str  #: qualified
    file: str


class PythonFunctions:
    """Knows which function an address in generated code belongs to.

    :param pid: of the process, this one's if there is none.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._path = Path(_MAP.format(pid or os.getpid()))
        self._read = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._named: list[PythonFunction] = []

    def at(self, address: int) -> PythonFunction | None:
        """Return the function, None if the address belongs to none."""
        return self._look_up(address) or (self._look_up(address) if self._refresh() else None)

    def remove(self) -> None:
        """Delete the map."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _look_up(self, address: int) -> PythonFunction | None:
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0 and address < self._ends[index]:
            return self._named[index]
        return None

    def _refresh(self) -> bool:
        """Read what was added to the map, and return whether anything was."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                text = file.read()
        except OSError:
            return False
        # The last line may be half of one.
        text = text[: text.rfind(b"\n") + 1]
        self._read += len(text)
        entries = sorted(
            (int(start, 16), int(size, 16), name, path)
            for start, size, name, path in _ENTRY.findall(text)
        )
        for start, size, name, path in entries:
            index = bisect.bisect_left(self._starts, start)
            self._starts.insert(index, start)
            self._ends.insert(index, start + size)
            function = PythonFunction(name.decode(errors="replace"), path.decode(errors="replace"))
            self._named.insert(index, function)
        return bool(entries)


def activate() -> str:
    """Have the interpreter make stacks with functions of Python's in this process.

    :return: why it cannot, empty if it can.
    """
    if sys.version_info < (3, 12):
        return "functions of Python's appear in native stacks from Python 3.12 on"
    try:
        sys.activate_stack_trampoline("perf")
    except (AttributeError, ValueError) as error:
        return f"this Python cannot show its functions in native stacks ({error})"
    os.register_at_fork(after_in_child=_leave)
    return ""


def _leave() -> None:
    """Have a forked child leave no map behind, which the interpreter has just begun for it."""
    if sys.version_info >= (3, 12):
        sys.deactivate_stack_trampoline()
    PythonFunctions().remove()
