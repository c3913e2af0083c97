"""The lines of valgrind's log, and the findings that they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from pytest_valgrind.findings import Finding, Frame, Further, Kind, Owner

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
# The functions of csrc/frames.c; what is below them in a stack is the same for every test.
_TEST_FRAMES = ("pvg_inside_test", "pvg_outside_tests")
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
            raw = line.raw
            if line.text.startswith(_FRAME_STARTS) and (frame := self._frame(line.text)):
                if stacks.are_below_test and not stacks.starts_anew(line.text):
                    continue
                stacks.add(frame, line.text)
                if stacks.are_below_test:
                    raw = f"=={line.pid}==    ... and the frames of pytest"
            elif line.text.startswith(_GUESS_AT_A_CRASH):
                break
            elif line.text.startswith(" ") or stacks.found:
                stacks.announce(line.text.strip())
            elif _CONTEXT.fullmatch(line.text):
                continue
            elif not _THREAD.fullmatch(line.text):
                message = line.text
            kept.append(raw)
        if not message or not stacks.found:
            return None
        finding = Finding(
            kind=_kind(message),
            message=message,
            stack=tuple(stacks.found[0][1]),
            further=stacks.further(),
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


class _Stacks:
    """The stacks of a finding, each with the caption above it."""

    def __init__(self) -> None:
        self.found: list[tuple[str, list[Frame]]] = []
        #: Whether the frames that follow are the same for every test.
        self.are_below_test = False
        self._caption = ""

    def starts_anew(self, line: str) -> bool:
        """Whether a frame is the first of its stack."""
        return not self.found or line.startswith("   at ")

    def add(self, frame: Frame, line: str) -> None:
        """Add a frame to the last stack, or begin another."""
        if self.starts_anew(line):
            self.found.append((self._caption, []))
            self._caption = ""
        self.found[-1][1].append(frame)
        self.are_below_test = frame.function.startswith(_TEST_FRAMES)

    def announce(self, caption: str) -> None:
        """Take a line that is no frame as the caption of the next stack, or part of it."""
        self._caption = f"{self._caption}; {caption}" if self._caption else caption

    def further(self) -> tuple[Further, ...]:
        """Return all but the first stack, and the captions that are without one.

        "Access not within mapped region" stands before the first; "Address 0x0 is not stack'd,
        malloc'd or (recently) free'd" has none.
        """
        (first, _), *rest = self.found
        with_stack = [Further(caption, tuple(stack)) for caption, stack in rest]
        without = [Further(caption, ()) for caption in (first, self._caption) if caption]
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
