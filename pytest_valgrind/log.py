"""Valgrind's log: what is new in it, and the findings that it holds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind.findings import Finding, Frame, Further, Kind, Owner

# "==", "--" or "**", a time with --time-stamp=yes, and the process id.
_PREFIX = re.compile(r"(==|--|\*\*)(?:[\d:.]+ )?(\d+)\1 ?(.*)")
_FRAME = re.compile(
    r" +(?:at|by) 0x([0-9A-Fa-f]+): (.+?)(?: \((?:(?:with)?in (.+)|([^()]+):(\d+))\))?"
)
_LOSS_RECORD = re.compile(
    r"(?P<bytes>[\d,]+)(?: \((?P<more_bytes>[+-][\d,]+)\))?(?: \(.* direct, .* indirect\))?"
    r" bytes in (?P<blocks>[\d,]+)(?: \((?P<more_blocks>[+-][\d,]+)\))? blocks?"
    r" (?:is|are) (?P<kind>definitely lost|indirectly lost|possibly lost|still reachable)"
)
_CONTEXT = re.compile(r"([\d,]+) errors in context \d+ of \d+:")
_THREAD = re.compile(r"Thread \d+.*:")
# The functions of csrc/frames.c; what is below them in a stack is the same for every test.
_TEST_FRAMES = ("pvg_inside_test", "pvg_outside_tests")
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
        captions: list[tuple[str, list[Frame]]] = []
        kept: list[str] = []
        caption = ""
        below_test = False
        for line in paragraph:
            if match := _FRAME.fullmatch(line.text):
                if line.text.lstrip().startswith("at") or not captions:
                    captions.append((caption, []))
                    caption = ""
                    below_test = False
                if below_test:
                    continue
                frame = self._frame(match)
                captions[-1][1].append(frame)
                if frame.function.startswith(_TEST_FRAMES):
                    below_test = True
                    kept.append(f"=={line.pid}==    ... and the frames of pytest")
                    continue
            elif line.text.startswith(" ") or captions:
                caption = f"{caption}; {line.text.strip()}" if caption else line.text.strip()
            elif _CONTEXT.fullmatch(line.text):
                continue
            elif _THREAD.fullmatch(line.text):
                pass
            else:
                message = line.text
            kept.append(line.raw)
        if not message or not captions:
            return None
        (_, stack), *further = captions
        finding = Finding(
            kind=_kind(message),
            message=message,
            stack=tuple(stack),
            further=tuple(Further(text, tuple(frames)) for text, frames in further),
            pid=paragraph[0].pid,
            raw="\n".join(kept),
        )
        # A caption before the first stack ("Access not within mapped region"), or one with no
        # stack of its own ("Address 0x0 is not stack'd, malloc'd or (recently) free'd").
        without_stack = [text for text in (captions[0][0], caption) if text]
        if without_stack:
            rest = tuple(Further(text, ()) for text in without_stack)
            finding = replace(finding, further=(*finding.further, *rest))
        if record := _LOSS_RECORD.match(message):
            finding = replace(
                finding,
                kind=Kind(record["kind"]),
                bytes=_number(record["more_bytes"] or record["bytes"]),
                blocks=_number(record["more_blocks"] or record["blocks"]),
            )
        return finding

    def _frame(self, match: re.Match[str]) -> Frame:
        address, function, path, file, line = match.groups()
        at = int(address, 16)
        path = path or self._object_at(at)
        return Frame(
            address=at,
            function=function,
            file=file,
            line=int(line) if line else None,
            object=path,
            owner=self._owner_of(path, function),
        )


class Log:
    """Follows a log that valgrind is writing.

    :param path: the log's path, or that of an open descriptor of it.
    :raises OSError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0

    def read(self) -> str:
        """Return what was written since the last call."""
        size = os.fstat(self._descriptor).st_size
        if size < self._offset:  # somebody truncated it
            self._offset = 0
        chunks = []
        while chunk := os.pread(self._descriptor, 1 << 20, self._offset):
            chunks.append(chunk)
            self._offset += len(chunk)
        return b"".join(chunks).decode("utf-8", "replace")

    def skip(self) -> None:
        """Pass over what was written since the last call."""
        self._offset = os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


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
