"""Which line of Python made a block: while a test runs, each line has a number of its own.

A trace function (``sys.settrace``) gives the engine another number before each line. So the header
of a block tells the line, and the calls above it, whoever allocates: no stack is unwound.
"""

from __future__ import annotations

import gc
import sys
import threading
from bisect import bisect_right
from types import CodeType, FrameType
from typing import Any, Protocol

from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.user_code import is_written, runs_tests


class Numbering(Protocol):
    """Takes the number of each line: the engine does."""

    def begin_test(self, place: int) -> None:
        """Have what the calling thread makes from now on belong to a number."""

    def end_test(self) -> None:
        """Have it belong to none."""


class AllocationLines:
    """Numbers the lines of a test, and of whatever it calls, from a place on.

    :param engine: which gives its number to each block.
    :param first: the place from which on no test has one.
    """

    def __init__(self, engine: Numbering, first: int) -> None:
        self._engine = engine
        #: The same.
        self.first = first
        #: Of each number: that of the line which has called the function, its code, and its line.
        self._lines: list[tuple[int, CodeType | None, int]] = []
        #: Those that are no line's: whatever calls the first line, one for each start.
        self._roots: list[int] = []
        self._numbers: dict[tuple[int, CodeType, int], int] = {}
        self._here: dict[int, int] = {}
        #: Of the code of a function, whether it is numbered, and if pytest calls it, too.
        self._is_numbered: dict[CodeType, tuple[bool, bool]] = {}

    def start(self) -> None:
        """Begin to number the lines of this thread, and of those that it starts."""
        self._roots.append(len(self._lines))
        self._lines.append((self._root, None, 0))
        self._here.clear()
        self._engine.begin_test(self.first + self._root)
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def stop(self) -> None:
        """End it."""
        sys.settrace(None)
        threading.settrace(None)
        self._engine.end_test()

    @property
    def count(self) -> int:
        """How many numbers were given, the first included."""
        return len(self._lines)

    def has(self, place: int) -> bool:
        """Whether a block with this place was made since the first :meth:`start`."""
        return self.first <= place < self.first + self.count

    def run_of(self, place: int) -> int:
        """Return in which run a block with a place was made: after which :meth:`start`, from 0."""
        return bisect_right(self._roots, place - self.first) - 1

    @property
    def _root(self) -> int:
        return self._roots[-1]

    def stack(self, place: int) -> list[PythonLine]:
        """Return the lines with a place, the most recent call first."""
        found = []
        number, code, line = self._lines[place - self.first]
        while code is not None:
            name = getattr(code, "co_qualname", code.co_name)  # from 3.11 on
            found.append(PythonLine(code.co_filename, line, name))
            number, code, line = self._lines[number]
        return found

    def _trace(self, frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        known = self._is_numbered.get(code)
        if known is None:
            file = code.co_filename
            known = self._is_numbered[code] = not runs_tests(file), is_written(file)
        below_another, below_pytest = known
        if not below_another:
            return None
        thread = threading.get_ident()
        caller = self._here.get(thread, self._root)
        if caller == self._root:
            if not below_pytest:
                # For a test that fails it walks whole syntax trees.
                return None
            # Free lists hold what pytest has made and freed: it would be of no line.
            gc.collect()

        def trace_line(frame: FrameType, event: str, _argument: object) -> Any:
            number = caller if event == "return" else self._number(caller, code, frame.f_lineno)
            self._here[thread] = number
            self._engine.begin_test(self.first + number)
            return trace_line

        return trace_line(frame, "call", None)

    def _number(self, caller: int, code: CodeType, line: int) -> int:
        key = caller, code, line
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._lines)
            self._lines.append(key)
        return number
