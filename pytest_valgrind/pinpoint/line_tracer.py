"""Which Python line is being executed when an error occurs or memory is lost.

A trace function (``sys.settrace``) sees every line before it is executed. What it finds to have
happened was done by the line that it saw before.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any

from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.user_code import runs_tests

#: Of the line before a checkpoint, its number among them, and the frames of the test by then.
AtCheckpoint = Callable[["tuple[PythonLine, ...]", int, "list[FrameType]"], None]


class LineTracer:
    """Traces the lines of a test and of whatever it calls.

    :param files: where the functions are which pytest calls: the test's, and fixtures'.
    :param count_errors: returns how many errors there were so far.
    :param on_errors: is called with the lines, the most recent call first, during which there were
        more.
    :param at_checkpoint: is called before each line of a function that is called by pytest: a
        test's or a fixture's; or, if a number is given, before each line of functions called by
        the line with that number.
    """

    def __init__(
        self,
        files: Collection[str],
        count_errors: Callable[[], int],
        on_errors: Callable[[tuple[PythonLine, ...]], None],
        at_checkpoint: AtCheckpoint | None = None,
        inside: int | None = None,
    ) -> None:
        self._files = files
        self._count_errors = count_errors
        self._on_errors = on_errors
        self._at_checkpoint = at_checkpoint
        self._inside = inside
        self._errors = 0
        #: How many lines the functions that pytest calls have executed, and how many those have
        #: which they call, by the number of the line that does.
        self.lines = 0
        self.inner: dict[int, int] = {}
        # Where the thread is, for each thread: a frame may be at its next line by then.
        self._here: dict[int, tuple[FrameType, int]] = {}
        self._depth = 0
        self._before: tuple[PythonLine, ...] = ()
        self._main = threading.get_ident()
        self._is_user: dict[CodeType, bool] = {}

    def start(self) -> None:
        """Begin to trace this thread and those that it starts."""
        self._errors = self._count_errors()
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def stop(self) -> None:
        """End it; what happened since the last line is noticed as well."""
        sys.settrace(None)
        threading.settrace(None)
        self._look_for_errors(self._main)

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        thread = threading.get_ident()
        if self._count_errors() != self._errors:
            self._look_for_errors(thread)
        if event == "return":
            caller = frame.f_back
            if caller is not None:
                self._here[thread] = (caller, caller.f_lineno)
        else:
            self._here[thread] = (frame, frame.f_lineno)
        begins = frame.f_code.co_filename in self._files
        if thread == self._main and (self._depth or begins) and self._concerns(frame.f_code):
            self._count(frame, event)
        return self._trace

    def _count(self, frame: FrameType, event: str) -> None:
        if event == "call":
            self._depth += 1
            return
        if event in ("line", "return") and self._depth == 1:
            self._checkpoint(frame, self.lines, event, is_wanted=self._inside is None)
            self.lines += event == "line"
        elif event in ("line", "return") and self._depth == 2:
            outer = self.lines - 1
            number = self.inner.get(outer, 0)
            self._checkpoint(frame, number, event, is_wanted=self._inside == outer)
            self.inner[outer] = number + (event == "line")
        if event == "return":
            self._depth -= 1

    def _checkpoint(self, frame: FrameType, number: int, event: str, *, is_wanted: bool) -> None:
        if not is_wanted:
            return
        if self._at_checkpoint is not None:
            # The trace function's own calls are not traced.
            self._at_checkpoint(self._before, number, self._frames(frame))
        if event == "line":
            self._before = self._stack(frame, frame.f_lineno)

    def _look_for_errors(self, thread: int) -> None:
        count = self._count_errors()
        if count != self._errors and thread in self._here:
            self._on_errors(self._stack(*self._here[thread]))
        self._errors = self._count_errors()

    def _stack(self, frame: FrameType | None, line: int) -> tuple[PythonLine, ...]:
        found = []
        end = 0
        while frame is not None:
            if self._concerns(frame.f_code):
                code = frame.f_code
                name = getattr(code, "co_qualname", code.co_name)  # from 3.11 on
                found.append(PythonLine(code.co_filename, line, name))
                if code.co_filename in self._files:
                    end = len(found)
            frame = frame.f_back
            line = frame.f_lineno if frame is not None else 0
        # What is below the test's own functions has called it.
        return tuple(found[:end] or found)

    def _frames(self, frame: FrameType | None) -> list[FrameType]:
        found = []
        while frame is not None:
            if self._concerns(frame.f_code):
                found.append(frame)
            frame = frame.f_back
        return found

    def _concerns(self, code: CodeType) -> bool:
        known = self._is_user.get(code)
        if known is None:
            known = self._is_user[code] = not runs_tests(code.co_filename)
        return known
