"""Which lines of Python make a counter grow: it is read before each line.

That finds what no Python object knows: blocks of malloc, mappings, descriptors, threads.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.user_code import is_tests

#: Of lines that are looked at, in all runs.
_MOST_EVENTS = 20_000
_MOST = 3
# The part of all growth that makes a line the only one.
_NEARLY_ALL = 0.9


class GrowingLines:
    """Traces the main thread's lines.

    :param read: returns the counter's value.
    """

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._growth: Counter[PythonLine] = Counter()
        self._line: PythonLine | None = None
        self._value = 0
        self._events = 0
        self._is_user: dict[CodeType, bool] = {}

    def of(self, work: Callable[[], object]) -> None:
        """Do something, and see which lines let the counter grow."""
        self._line = None
        self._value = self._read()
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            work()
        finally:
            sys.settrace(before)

    def forget(self) -> None:
        """Take what was seen so far as what is made once."""
        self._growth.clear()

    def lines(self, least: float) -> list[PythonLine]:
        """Return the lines in which it has grown, the most first.

        :param least: by how much.
        """
        found = [(line, grown) for line, grown in self._growth.most_common() if grown >= least]
        total = sum(self._growth.values())
        if found and found[0][1] >= _NEARLY_ALL * total > 0:
            # What others have allocated and freed adds up to nothing.
            exact = [line for line, grown in found if abs(grown - total) <= total * 0.1]
            return (exact or [found[0][0]])[:1]
        return [line for line, _ in found[:_MOST]]

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        code = frame.f_code
        is_user = self._is_user.get(code)
        if is_user is None:
            is_user = self._is_user[code] = is_tests(code.co_filename)
        if not is_user or self._events >= _MOST_EVENTS:
            return None
        if threading.current_thread() is not threading.main_thread():
            return None
        self._events += 1
        value = self._read()
        if self._line is not None and value != self._value:
            self._growth[self._line] += value - self._value
        if event == "call":  # what stands in the definition is not executed now
            self._line = None
        elif event == "return":
            caller = frame.f_back
            self._line = _line_of(caller) if caller and self._is_user.get(caller.f_code) else None
        else:
            self._line = _line_of(frame)
        # Not what this function has made.
        self._value = self._read()
        return self._trace


def _line_of(frame: FrameType) -> PythonLine:
    code = frame.f_code
    name = getattr(code, "co_qualname", code.co_name)  # from 3.11 on
    return PythonLine(code.co_filename, frame.f_lineno, name)
