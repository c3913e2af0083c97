"""What the guards have seen, as findings."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Further, Origin, Stack
from pytest_valgrind.heap.c_places import CFrames, FramesAt
from pytest_valgrind.heap.engine import GuardEvent

# Bytes, as hexadecimal and as text.
_MOST_SHOWN = 16


class Guards:
    """Makes findings of events, one of each defect.

    What a check has seen in its clone, the process sees once more when it frees the block.

    :param frames: of the process in which it happens, None if it is this one.
    """

    def __init__(self, frames: FramesAt | None = None) -> None:
        self._frames = frames or CFrames()
        self._known: set[tuple[object, ...]] = set()

    def findings(self, events: Iterable[GuardEvent]) -> list[Finding]:
        """Return findings of the events that are new, in order."""
        found = []
        for event in events:
            key = (event.kind, event.address, event.size, event.maker, event.offset, event.written)
            if event.kind in _SEEN_TWICE and key in self._known:
                continue
            self._known.add(key)
            found.append(self._finding(event))
        return found

    def _finding(self, event: GuardEvent) -> Finding:
        origin = None if event.maker is None else Origin(event.maker)
        made = self._stack(event.made_by)
        return Finding(
            event.kind,
            in_words(event),
            stack=self._stack(event.seen_by),
            further=(Further("Block made by", made, origin),) if made else (),
            bytes=event.size,
            blocks=1,
            origin=None if event.seen_in is None else Origin(event.seen_in),
        )

    def _stack(self, address: int) -> Stack:
        return (self._frames.at(address),) if address else ()


_SEEN_TWICE = (Kind.OVERFLOW, Kind.WRITE_AFTER_FREE)


def in_words(event: GuardEvent) -> str:
    """Say what happened to which block, and what was written."""
    block = f"a block of {plural(event.size, 'byte')}"
    if event.kind is Kind.DOUBLE_FREE:
        return f"{block} was freed again".capitalize()
    if event.kind is Kind.NATIVE_INVALID_FREE:
        if event.size:
            return f"A pointer to byte {event.offset:,} of {block} was freed"
        return f"{event.address:#x} was freed, where no block begins"
    written = f"{plural(event.length, 'byte')} written"
    shown = in_bytes(event.written)
    if event.offset < 0:
        return f"{-event.offset:,} bytes or less before a block were overwritten: {shown}"
    if event.kind is Kind.OVERFLOW:
        where = f"{event.offset - event.size:,} bytes past the end of {block}"
    else:
        where = f"at byte {event.offset:,} of {block} that was freed"
    return f"{written} {where}: {shown}"


def in_bytes(written: bytes) -> str:
    """Return bytes in hexadecimal and as text."""
    shown = written[:_MOST_SHOWN]
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in shown)
    return f"{shown.hex(' ')}{' ...' if len(written) > _MOST_SHOWN else ''}  {text}"
