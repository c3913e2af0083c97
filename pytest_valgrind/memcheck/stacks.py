"""Stacks in the lines of valgrind's log."""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_valgrind.findings.stack import Frame, Further, Origin, Owner
from pytest_valgrind.memcheck.python_functions import PythonFunctions

FRAME_STARTS = ("   at ", "   by ")
_FRAME = r"   (?:at|by) 0x([0-9A-Fa-f]+): (.+?)(?: \((?:(?:with)?in (.+)|(/.+|[^()]+):(\d+))\))?"
# The functions of csrc/frames.c and csrc/threads.c. What is below them in a stack is pytest's.
_DIGIT = r"pvg_(low|high)_([0-7]{2})"
_DIGIT_VALUES = 64
# Those of csrc/functions.c.
_CODE_DIGIT = r"pvg_code_(low|high)_([0-7]{3})"
_CODE_DIGIT_VALUES = 256
_BETWEEN_TESTS = "pvg_between"
_THREAD_OF_TEST = "pvg_thread"
# That of csrc/timer.c. Below it is libc's trampoline for handlers, and then what was interrupted.
_SIGNAL_HANDLER = "pvg_timer_expired"

#: Tells the object file at an address.
ObjectAt = Callable[[int], str | None]
#: Tells whose code a function in an object file is.
OwnerOf = Callable[[str | None, str], Owner]


class Frames:
    """Reads the lines of stacks.

    :param object_at: finds the object file of a frame for which valgrind named none.
    :param owner_of: tells whose code a frame is.
    """

    def __init__(
        self,
        object_at: ObjectAt | None,
        owner_of: OwnerOf | None,
    ) -> None:
        self._object_at = object_at or (lambda _address: None)
        self._owner_of = owner_of or (lambda _path, _function: Owner.UNKNOWN)
        # Most frames were seen in earlier stacks: those of pytest, and of repeated errors.
        self._known: dict[str, Frame] = {}

    def read(self, text: str) -> Frame | None:
        """Return the frame in a line, None if there is none."""
        frame = self._known.get(text)
        if frame is None and (match := re.fullmatch(_FRAME, text)):
            address, function, path, file, line = match.groups()
            path = path or self._object_at(int(address, 16))
            frame = self._known[text] = Frame(
                address=int(address, 16),
                function=function,
                # Valgrind shows the whole path if it was given --fullpath-after.
                file=file.rpartition("/")[2] if file else None,
                line=int(line) if line else None,
                object=path,
                owner=self._owner_of(path, function),
                path=file if file and file.startswith("/") else None,
            )
        return frame


class _Stack:
    """A stack and the caption above it."""

    def __init__(self, caption: str, functions: PythonFunctions | None) -> None:
        self.caption = caption
        self._functions = functions
        self._low_code_digit = 0
        self.frames: list[Frame] = []
        self.origin: Origin | None = None
        self._in_thread = False
        self._low_digit: int | None = None
        self._is_below_handler = False

    def takes(self, frame: Frame) -> bool:
        """Add a frame, unless it or one above it is of those below which tests run."""
        if self.origin is not None:
            return False
        if self._is_below_handler:
            self._is_below_handler = False
            return False
        if frame.owner is not Owner.CHECKER and not frame.function.startswith("pvg_"):
            if self._low_digit is None:
                self.frames.append(frame)
            return self._low_digit is None
        if digit := re.fullmatch(_CODE_DIGIT, frame.function):
            self._take_code_digit(frame, digit[1], int(digit[2], 8))
        elif digit := re.fullmatch(_DIGIT, frame.function):
            value = int(digit[2], 8)
            if digit[1] == "low":
                self._low_digit = value
            else:
                number = value * _DIGIT_VALUES + (self._low_digit or 0)
                self.origin = Origin(number, self._in_thread)
        elif frame.function == _BETWEEN_TESTS:
            self.origin = Origin(None)
        elif frame.function == _THREAD_OF_TEST:
            self._in_thread = True
        elif frame.function == _SIGNAL_HANDLER:
            self._is_below_handler = True
            self.frames.clear()
        return False

    def _take_code_digit(self, frame: Frame, digit: str, value: int) -> None:
        """Add the Python function whose number has these digits."""
        if digit == "low":
            self._low_code_digit = value
        elif self._functions and self._low_digit is None:
            number = value * _CODE_DIGIT_VALUES + self._low_code_digit
            function = self._functions[number]
            if function and not function.runs_tests:
                name, file, line = function
                self.frames.append(Frame(frame.address, name, file, line, owner=Owner.PYTHON))


class Stacks:
    """The stacks of a finding.

    :param functions: Python functions, by the numbers in stacks.
    """

    def __init__(self, functions: PythonFunctions | None = None) -> None:
        self._functions = functions
        self._found: list[_Stack] = []
        self._caption = ""

    def __bool__(self) -> bool:
        return bool(self._found)

    def takes(self, frame: Frame, line: str) -> bool:
        """Add a frame to the last stack, or begin another; return whether it is one to show."""
        if not self._found or line.startswith(FRAME_STARTS[0]):
            self._found.append(_Stack(self._caption, self._functions))
            self._caption = ""
        return self._found[-1].takes(frame)

    def announce(self, caption: str) -> None:
        """Take a line that is no frame as the caption of the next stack, or part of it."""
        self._caption = f"{self._caption}; {caption}" if self._caption else caption

    @property
    def own(self) -> tuple[Frame, ...]:
        """The stack of the finding itself."""
        return tuple(self._found[self._own].frames) if self._found else ()

    @property
    def origin(self) -> Origin | None:
        """What the bottom of that stack says."""
        return self._found[self._own].origin if self._found else None

    @property
    def further(self) -> tuple[Further, ...]:
        """All others, and the captions that are without one.

        "Access not within mapped region" stands before the own; "Address 0x0 is not stack'd,
        malloc'd or (recently) free'd" has none.
        """
        own = self._own
        others = [*self._found[:own], *self._found[own + 1 :]]
        with_stack = [Further(stack.caption, tuple(stack.frames), stack.origin) for stack in others]
        captions = [*(stack.caption for stack in self._found[own : own + 1]), self._caption]
        return (*with_stack, *(Further(caption, ()) for caption in captions if caption))

    @property
    def _own(self) -> int:
        # Valgrind 3.24 has it last where a file descriptor was misused, and only there.
        return next((n for n, stack in enumerate(self._found) if not stack.caption), 0)
