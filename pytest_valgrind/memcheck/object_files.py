"""Object files: to which one an address belongs, and whose code that is.

Valgrind prints the object file of a frame only where it has no source line.
"""

from __future__ import annotations

import bisect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.package import PACKAGE

_MAPPED = r"([0-9a-f]+)-([0-9a-f]+) ..(.)\S+ +(?:\S+ +){2}\S+ *(.*)"
#: In place of a path, for code in memory that is no file's.
GENERATED = "[generated code]"
_BY_NAME = (
    (r"libpython3[\d.]*[a-z]*\.so|python3[\d.]*[a-z-]*$", Owner.INTERPRETER),
    (r"lib(c|m|dl|rt|util|pthread)[.-]|ld[.-]|ld-linux", Owner.LIBC),
    # Our preloaded objects act for it.
    (r"vgpreload_|memcheck-|_(repairs|child_preload|heap|counting)\.", Owner.VALGRIND),
    (re.escape(GENERATED), Owner.GENERATED),
)
_SYSTEM_LIBRARIES = r"/(usr/)?(local/)?lib(32|64)?/"
# Those of csrc/defects.c.
_DELIBERATE_DEFECTS = ("create_leak", "access_invalid")
_PYTHON_MODULES = r"/(site|dist)-packages/|/lib-dynload/"


class ObjectFiles:
    """The object files that are mapped into a process.

    :param read_map: returns the lines of ``/proc/PID/maps`` (proc(5)).
    :param interpreter: directories and files that belong to the interpreter.
    """

    def __init__(
        self,
        read_map: Callable[[], Iterable[str]] | None = None,
        interpreter: Iterable[str] | None = None,
    ) -> None:
        self._read_map = read_map or _map_of_this_process
        self._interpreter = tuple(interpreter or interpreter_paths())
        self._own = str(PACKAGE / "_client.")
        self._starts: list[int] = []
        self._mapped: list[tuple[int, str]] = []

    def at(self, address: int) -> str | None:
        """Return the path of the object file at an address, None where there is none.

        :data:`GENERATED` where there is code all the same.
        """
        path = self._look_up(address)
        if path is None:  # perhaps loaded since
            self._refresh()
            path = self._look_up(address)
        return path

    def owner(self, path: str | None, function: str) -> Owner:
        """Return whose code a function in an object file is."""
        if path is None:
            return Owner.UNKNOWN
        if path.startswith(self._own):
            is_defect = function.removeprefix("_cffi_f_") in _DELIBERATE_DEFECTS
            return Owner.EXTENSION if is_defect else Owner.CHECKER
        name = Path(path).name
        for files, owner in _BY_NAME:
            if re.match(files, name):
                return owner
        if path.startswith(self._interpreter):
            return Owner.INTERPRETER
        if re.match(_SYSTEM_LIBRARIES, path) and not re.search(_PYTHON_MODULES, path):
            return Owner.LIBRARY
        return Owner.EXTENSION

    def _look_up(self, address: int) -> str | None:
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0:
            end, path = self._mapped[index]
            if address < end:
                return path
        return None

    def _refresh(self) -> None:
        found = []
        for line in self._read_map():
            if match := re.match(_MAPPED, line):
                start, end, executable, path = match.groups()
                if not path.startswith("/"):
                    if executable != "x" or path:
                        continue
                    path = GENERATED
                found.append((int(start, 16), int(end, 16), path))
        found.sort()
        self._starts = [start for start, _, _ in found]
        self._mapped = [(end, path) for _, end, path in found]


def interpreter_paths() -> list[str]:
    """Return where the interpreter and its standard library's modules lie."""
    # sysconfig's paths would lead into a virtual environment.
    modules = [Path(path).resolve() for path in sys.path if Path(path).name == "lib-dynload"]
    return [str(Path(sys.executable).resolve()), *(f"{directory}/" for directory in modules)]


def _map_of_this_process() -> Iterable[str]:
    return Path("/proc/self/maps").read_text().splitlines()
