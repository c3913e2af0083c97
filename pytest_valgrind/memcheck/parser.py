"""The findings in the lines of valgrind's log.

Logs are read line by line, so that their size does not matter. What is damaged, by a full disk or
by processes that write into one log at the same time, is read as far as it goes: a message without
its stack is a finding, and so is a stack without its message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.memcheck.log_lines import Line
from pytest_valgrind.memcheck.python_functions import PythonFunctions
from pytest_valgrind.memcheck.stacks import FRAME_STARTS, Frames, ObjectAt, OwnerOf, Stacks

# No pattern is compiled before it is needed: under valgrind that takes 5 to 20 ms each, and most
# processes need none of them.
_LOSS_RECORD = (
    r"(?P<bytes>[\d,]+)(?: \((?P<more_bytes>[+-][\d,]+)\))?(?: \(.* direct, .* indirect\))?"
    r" bytes in (?P<blocks>[\d,]+)(?: \((?P<more_blocks>[+-][\d,]+)\))? blocks?"
    r" (?:is|are) (?P<kind>definitely lost|indirectly lost|possibly lost|still reachable)"
)
# From 3.24 on, suppressed ones are listed as well.
_CONTEXT = r"([\d,]+) errors (\(suppressed by .*\) )?in context \d+ of \d+:"
_THREAD = r"Thread \d+.*:"
_USED_SUPPRESSION = r"used_suppression: +\d+ (.*?)(?: suppressed: [\d,]+ bytes in [\d,]+ blocks)?"
# Advice that goes on for lines.
_GUESS_AT_A_CRASH = " If you believe this happened as a result of a stack"
# These have stacks, and are no errors.
_NO_FINDINGS = (
    r"Warning: |WARNING: |Emulation warning: |Thread \d+: status|Blocks allocation contexts"
)
#: The words that the process itself prints above the stack of a test that hangs.
HANG = "Test timed out after "
# Those of 3.19 to 3.27 (memcheck/mc_errors.c and coregrind/m_errormgr.c in its source).
_KINDS = {
    "Invalid read": Kind.INVALID_READ,
    "Invalid write": Kind.INVALID_WRITE,
    "Jump to the invalid address": Kind.INVALID_JUMP,
    "Invalid free": Kind.INVALID_FREE,
    "Mismatched ": Kind.MISMATCHED_FREE,
    "Conditional jump or move depends": Kind.UNINITIALISED,
    "Use of uninitialised value": Kind.UNINITIALISED,
    "Uninitialised byte(s) found": Kind.UNINITIALISED,
    "Unaddressable byte(s) found": Kind.UNADDRESSABLE,
    "Syscall param": Kind.SYSCALL,
    "Source and destination overlap": Kind.OVERLAP,
    "Argument '": Kind.FISHY_SIZE,
    "Invalid alignment value": Kind.FISHY_SIZE,
    "Invalid size value": Kind.FISHY_SIZE,
    "Unsafe allocation with size": Kind.FISHY_SIZE,
    "Illegal memory pool address": Kind.MEMORY_POOL,
    "File descriptor ": Kind.DESCRIPTOR,
    "Open file descriptor ": Kind.OPEN_DESCRIPTOR,
    "Open AF_": Kind.OPEN_DESCRIPTOR,
    "Open pf-": Kind.OPEN_DESCRIPTOR,
    "Open socket ": Kind.OPEN_DESCRIPTOR,
    "valgrind: Unrecognised instruction": Kind.UNKNOWN_INSTRUCTION,
    "Process terminating": Kind.FATAL_SIGNAL,
    HANG: Kind.TIMEOUT,
}
_STARTS = tuple(_KINDS)
_BAD_SIZE = r"\w+\(\) (with size|invalid size value)"
_DAMAGED = "An error whose message is damaged in valgrind's log."
# A message is shorter, however deep its stacks: its end has been lost.
_MOST_LINES = 5000


class Parser:
    """Turns lines into findings.

    :param object_at: finds the object file of a frame for which valgrind named none.
    :param owner_of: tells whose code a frame is.
    :param error_markers: lines that valgrind puts around errors (its manual, 2.6.2).
    :param functions: Python functions, by the numbers in stacks.
    """

    def __init__(
        self,
        object_at: ObjectAt | None = None,
        owner_of: OwnerOf | None = None,
        error_markers: tuple[str, ...] = (),
        functions: PythonFunctions | None = None,
    ) -> None:
        self._functions = functions
        self._frames = Frames(object_at, owner_of)
        self._error_markers = error_markers
        self._contexts: dict[str, Finding | None] = {}

    def findings(self, lines: Iterable[Line]) -> Iterator[Finding]:
        """Yield the findings in the order of the log.

        Not the descriptors that are open: a program may close them later, or need not.
        """
        for paragraph in self._paragraphs(lines):
            found = self._finding(paragraph)
            if found and found.kind is not Kind.OPEN_DESCRIPTOR:
                yield found

    def descriptors(self, lines: Iterable[Line]) -> Iterator[Finding]:
        """Yield the descriptors of ``v.info open_fds``, each with the stack of its opening.

        Inherited ones have no stack, and are left out.
        """
        for paragraph in self._paragraphs(lines):
            found = self._finding(paragraph)
            if found and found.kind is Kind.OPEN_DESCRIPTOR and found.stack:
                # The first stands right below the heading.
                yield replace(found, raw=found.raw[found.raw.index(found.message) :])

    def contexts(self, lines: Iterable[Line]) -> Iterator[Finding]:
        """Yield the error contexts of ``v.info all_errors``, each with its count."""
        for paragraph in self._paragraphs(lines):
            first, *rest = paragraph.lines
            count = re.fullmatch(_CONTEXT, first.text)
            if count and not count[2]:
                # The same ones come again with every such answer.
                text = "\n".join(line.text for line in rest)
                if text not in self._contexts:
                    self._contexts[text] = self._finding(paragraph)
                if finding := self._contexts[text]:
                    yield replace(finding, count=_number(count[1]))

    def _paragraphs(self, lines: Iterable[Line]) -> Iterator[_Paragraph]:
        """Split a log into its messages, process by process."""
        pending: dict[int, _Paragraph] = {}
        for line in lines:
            paragraph = pending.get(line.pid)
            if line.mark == "--" or line.text in self._error_markers:
                continue
            if paragraph is None or not paragraph.takes(line):
                if paragraph is not None and paragraph.lines:
                    yield paragraph
                pending[line.pid] = _Paragraph(line)
        for paragraph in pending.values():
            if paragraph.lines:
                yield paragraph

    def _finding(self, paragraph: _Paragraph) -> Finding | None:
        message = ""
        is_known = False
        stacks = Stacks(self._functions)
        kept: list[str] = []
        for line in paragraph.lines:
            if line.text.startswith(FRAME_STARTS) and (frame := self._frames.read(line.text)):
                if not stacks.takes(frame, line.text):
                    continue
            elif line.text.startswith(_GUESS_AT_A_CRASH):
                break
            elif line.text.startswith(" ") or stacks:
                stacks.announce(line.text.strip())
            elif re.fullmatch(_CONTEXT, line.text):
                continue
            elif not (is_known or re.fullmatch(_THREAD, line.text)):
                message, is_known = line.text, _begins_finding(line.text)
            kept.append(line.raw)
        is_known = is_known and not paragraph.needs_stack
        if not (is_known or stacks) or re.match(_NO_FINDINGS, message):
            return None
        finding = Finding(
            kind=_kind(message),
            message=message or _DAMAGED,
            stack=stacks.own,
            further=stacks.further,
            origin=stacks.origin,
            pid=paragraph.pid,
            raw="\n".join(kept),
            suppression=tuple(paragraph.suppression),
        )
        return _with_loss(finding)


class _Paragraph:
    """The lines of a process between two blank ones, and the suppression that may follow."""

    def __init__(self, line: Line) -> None:
        self.pid = line.pid
        self.lines: list[Line] = []
        self.suppression: list[str] = []
        # A stack right below the program's own words is one that it has asked for.
        self._is_of_program = line.mark == "**"
        self._has_stack = False
        self._has_ended = False
        self._in_suppression = False
        #: Whether the message may be no more than output of the program.
        self.needs_stack = False
        if self._is_of_program and (rest := _finding_at_end(line.text)):
            self._is_of_program, self.needs_stack = False, True
            line = line._replace(mark="==", text=rest)
        if line.mark == "==" and line.text.strip():
            self.lines.append(line)
            self._has_stack = line.text.startswith(FRAME_STARTS)

    def takes(self, line: Line) -> bool:
        """Add a line if it belongs here."""
        if not line.mark:
            self._take_unmarked(line.text.strip())
            return True
        if self._is_of_program:
            return line.mark == "==" and line.text.startswith(FRAME_STARTS)
        if line.mark != "==" or len(self.lines) > _MOST_LINES:
            return False
        if not line.text.strip():
            self._has_ended = True
            return True
        is_frame = line.text.startswith(FRAME_STARTS)  # as nearly all lines are
        # Where one message follows right on another's stack, the blank line has been lost.
        if self._has_ended or (self._has_stack and not is_frame and _begins_finding(line.text)):
            return False
        self.lines.append(line)
        self._has_stack = self._has_stack or is_frame
        return True

    def _take_unmarked(self, text: str) -> None:
        if text in ("{", "}"):
            self._in_suppression = text == "{"
        elif self._in_suppression and self.lines:
            self.suppression.append(text)


def used_suppressions(lines: Iterable[Line]) -> set[str]:
    """Return name, file and line of the suppressions that ``v.info all_errors`` lists as used."""
    matches = (re.fullmatch(_USED_SUPPRESSION, line.text) for line in lines if line.mark == "--")
    return {match[1] for match in matches if match}


def _with_loss(finding: Finding) -> Finding:
    record = re.match(_LOSS_RECORD, finding.message)
    if record is None:
        return finding
    return replace(
        finding,
        kind=Kind(record["kind"]),
        bytes=_number(record["more_bytes"] or record["bytes"]),
        blocks=_number(record["more_blocks"] or record["blocks"]),
    )


def _begins_finding(text: str) -> bool:
    return _kind(text) is not Kind.OTHER_ERROR or re.match(_LOSS_RECORD, text) is not None


def _finding_at_end(words: str) -> str:
    """Return the message that has got on the line of the program's own words without an end.

    One of these words is a message itself.
    """
    if words.startswith(HANG):
        return words
    starts = [words.find(start, 1) for start in _KINDS]
    found = [start for start in starts if start > 0]
    return words[min(found) :] if found else ""


def _kind(message: str) -> Kind:
    if message.startswith(_STARTS):
        return next(_KINDS[start] for start in _STARTS if message.startswith(start))
    return Kind.FISHY_SIZE if re.match(_BAD_SIZE, message) else Kind.OTHER_ERROR


def _number(text: str) -> int:
    return int(text.replace(",", ""))
