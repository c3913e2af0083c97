"""The lines of valgrind's log, and the findings that they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from pytest_valgrind.findings import Finding, Frame, Further, Kind, Origin, Owner

# "==", "--" or "**", a time with --time-stamp=yes, and the process id.
_PREFIX = re.compile(r"(==|--|\*\*)(?:[\d:.]+ )?(\d+)\1 ?(.*)")
_FRAME = re.compile(
    r"   (?:at|by) 0x([0-9A-Fa-f]+): (.+?)(?: \((?:(?:with)?in (.+)|([^()]+):(\d+))\))?"
)
_FRAME_STARTS = ("   at ", "   by ")
_LOSS_RECORD = re.compile(
    r"(?P<bytes>[\d,]+)(?: \((?P<more_bytes>[+-][\d,]+)\))?(?: \(.* direct, .* indirect\))?"
    r" bytes in (?P<blocks>[\d,]+)(?: \((?P<more_blocks>[+-][\d,]+)\))? blocks?"
    r" (?:is|are) (?P<kind>definitely lost|indirectly lost|possibly lost|still reachable)"
)
_CONTEXT = re.compile(r"([\d,]+) errors in context \d+ of \d+:")
_THREAD = re.compile(r"Thread \d+.*:")
# The functions of csrc/frames.c and csrc/threads.c. What is below them in a stack is pytest's.
_DIGIT = re.compile(r"pvg_(low|high)_([0-7]{2})")
_DIGIT_VALUES = 64
_BETWEEN_TESTS = "pvg_between"
_THREAD_OF_TEST = "pvg_thread"
# Advice that goes on for lines.
_GUESS_AT_A_CRASH = " If you believe this happened as a result of a stack"
_KINDS = (
    ("Invalid read", Kind.INVALID_READ),
    ("Invalid write", Kind.INVALID_WRITE),
    ("Jump to the invalid address", Kind.INVALID_JUMP),
    ("Invalid free", Kind.INVALID_FREE),
    ("Mismatched ", Kind.MISMATCHED_FREE),
    ("Conditional jump or move depends", Kind.UNINITIALISED),
    ("Use of uninitialised value", Kind.UNINITIALISED),
    ("Uninitialised byte(s)", Kind.UNINITIALISED),
    ("Syscall param", Kind.SYSCALL),
    ("Source and destination overlap", Kind.OVERLAP),
    ("Argument '", Kind.FISHY_SIZE),
    ("Process terminating", Kind.FATAL_SIGNAL),
)

#: Tells the object file at an address.
ObjectAt = Callable[[int], str | None]
#: Tells whose code a function in an object file is.
OwnerOf = Callable[[str | None, str], Owner]


class Line(NamedTuple):
    """A line of valgrind's, taken apart."""

    mark: str  #: ``==`` from the tool, ``--`` from valgrind's core, ``**`` from the program
    pid: int
    text: str
    raw: str


def read_lines(text: str) -> Iterator[Line]:
    """Take a log's lines apart; those that are not valgrind's are passed over."""
    for raw in text.splitlines():
        if match := _PREFIX.fullmatch(raw):
            mark, pid, rest = match.groups()
            yield Line(mark, int(pid), rest, raw)


class Parser:
    """Turns lines into findings.

    :param object_at: finds the object file of a frame for which valgrind named none.
    :param owner_of: tells whose code a frame is.
    """

    def __init__(self, object_at: ObjectAt | None = None, owner_of: OwnerOf | None = None) -> None:
        self._object_at = object_at or (lambda _address: None)
        self._owner_of = owner_of or (lambda _path, _function: Owner.UNKNOWN)
        # Most frames are those of stacks before: all of pytest's, and of repeated errors.
        self._frames: dict[str, Frame] = {}

    def findings(self, lines: Iterable[Line]) -> list[Finding]:
        """Return the findings in the order of the log, the paragraphs without a stack left out."""
        return [found for paragraph in _paragraphs(lines) if (found := self._finding(paragraph))]

    def contexts(self, lines: Iterable[Line]) -> list[Finding]:
        """Return the error contexts of ``v.info all_errors``, each with its count."""
        found = []
        for paragraph in _paragraphs(lines):
            count = next((m for line in paragraph if (m := _CONTEXT.fullmatch(line.text))), None)
            if count and (finding := self._finding(paragraph)):
                found.append(replace(finding, count=_number(count[1])))
        return found

    def _finding(self, paragraph: list[Line]) -> Finding | None:
        message = ""
        stacks = _Stacks()
        kept: list[str] = []
        for line in paragraph:
            if line.text.startswith(_FRAME_STARTS) and (frame := self._frame(line.text)):
                if not stacks.takes(frame, line.text):
                    continue
            elif line.text.startswith(_GUESS_AT_A_CRASH):
                break
            elif line.text.startswith(" ") or stacks.found:
                stacks.announce(line.text.strip())
            elif _CONTEXT.fullmatch(line.text):
                continue
            elif not _THREAD.fullmatch(line.text):
                message = line.text
            kept.append(line.raw)
        if not message or not stacks.found:
            return None
        finding = Finding(
            kind=_kind(message),
            message=message,
            stack=tuple(stacks.found[0].frames),
            further=stacks.further(),
            origin=stacks.found[0].origin,
            pid=paragraph[0].pid,
            raw="\n".join(kept),
        )
        return _with_loss(finding)

    def _frame(self, text: str) -> Frame | None:
        frame = self._frames.get(text)
        if frame is None and (match := _FRAME.fullmatch(text)):
            address, function, path, file, line = match.groups()
            path = path or self._object_at(int(address, 16))
            frame = self._frames[text] = Frame(
                address=int(address, 16),
                function=function,
                file=file,
                line=int(line) if line else None,
                object=path,
                owner=self._owner_of(path, function),
            )
        return frame


class _Stack:
    """A stack and the caption above it."""

    def __init__(self, caption: str) -> None:
        self.caption = caption
        self.frames: list[Frame] = []
        self.origin: Origin | None = None
        self._in_thread = False
        self._low_digit: int | None = None

    def takes(self, frame: Frame) -> bool:
        """Add a frame, unless it or one above it is of those below which tests run."""
        if self.origin is not None:
            return False
        if frame.owner is not Owner.CHECKER and not frame.function.startswith("pvg_"):
            if self._low_digit is None:
                self.frames.append(frame)
            return self._low_digit is None
        if digit := _DIGIT.fullmatch(frame.function):
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
        return False


class _Stacks:
    """The stacks of a finding."""

    def __init__(self) -> None:
        self.found: list[_Stack] = []
        self._caption = ""

    def takes(self, frame: Frame, line: str) -> bool:
        """Add a frame to the last stack, or begin another; return whether it is one to show."""
        if not self.found or line.startswith("   at "):
            self.found.append(_Stack(self._caption))
            self._caption = ""
        return self.found[-1].takes(frame)

    def announce(self, caption: str) -> None:
        """Take a line that is no frame as the caption of the next stack, or part of it."""
        self._caption = f"{self._caption}; {caption}" if self._caption else caption

    def further(self) -> tuple[Further, ...]:
        """Return all but the first stack, and the captions that are without one.

        "Access not within mapped region" stands before the first; "Address 0x0 is not stack'd,
        malloc'd or (recently) free'd" has none.
        """
        first, *rest = self.found
        with_stack = [Further(stack.caption, tuple(stack.frames), stack.origin) for stack in rest]
        without = [Further(caption, ()) for caption in (first.caption, self._caption) if caption]
        return (*with_stack, *without)


def _with_loss(finding: Finding) -> Finding:
    record = _LOSS_RECORD.match(finding.message)
    if record is None:
        return finding
    return replace(
        finding,
        kind=Kind(record["kind"]),
        bytes=_number(record["more_bytes"] or record["bytes"]),
        blocks=_number(record["more_blocks"] or record["blocks"]),
    )


def _paragraphs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Split a log at the blank lines that stand between its messages, process by process."""
    pending: dict[int, list[Line]] = {}
    for line in lines:
        if line.mark != "==":
            continue
        if line.text.strip():
            pending.setdefault(line.pid, []).append(line)
        elif line.pid in pending:
            yield pending.pop(line.pid)
    yield from pending.values()


def _kind(message: str) -> Kind:
    return next((kind for start, kind in _KINDS if message.startswith(start)), Kind.OTHER_ERROR)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
