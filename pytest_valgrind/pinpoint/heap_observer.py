"""What the native engine sees of a test that runs once more."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from types import FrameType

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine, GuardEvent
from pytest_valgrind.heap.guards import Guards
from pytest_valgrind.heap.lost_blocks import explain_addresses, findings
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.pinpoint.local_references import drop_locals
from pytest_valgrind.pinpoint.observer import Lost

#: A place for a clone that nobody else uses.
_PLACE = 2
# Bytes, and how many of each size.
_SIZES = range(0, 480, 16)
_OF_EACH = 200


class HeapObserver:
    """Looks for leaks in clones of the forked process, and at what the guards see at once.

    A check looks at everything. One of what the test has made (``since``) takes a quarter of the
    time, and misses in the middle of a test what earlier objects point to by chance: frames that
    3.10 keeps with their code, and the room in lists, are cleared only if all are looked at.
    """

    # A run takes as long as three or four checks.
    seconds = 4.0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frames = CFrames()
        self._guards = Guards()
        self._count = 0
        self._events: list[GuardEvent] = []
        self._taken: list[bytes] = []

    def forked(self, pid: int) -> None:
        """Do nothing: nobody takes it for a child of a test."""

    def ended(self, pid: int) -> None:
        """Do nothing: it leaves nothing behind."""

    def begin(self) -> None:
        """Have the guards tell only what the test does from here on."""
        # A block from there would have the number of its first use, which may be of no test.
        Garbage(freeze=False).empty_free_lists()
        # What is free is taken, so that what the test loses lies where nothing was before: a word
        # that still points to an object of old would hide it.
        self._taken = [bytes(size) for size in _SIZES for _ in range(_OF_EACH)]
        self._engine.take_events()

    def count_errors(self) -> int:
        """Return how many writes and frees the guards have seen."""
        if events := self._engine.take_events():
            self._events += events
            self._count += len(events)
        return self._count

    def errors(self, where: str, phase: str) -> Sequence[Finding]:  # noqa: ARG002
        """Return what the guards saw at once, and not when a block was freed some time after."""
        self.count_errors()
        events, self._events = self._events, []
        return [found for found in self._guards.findings(events) if not found.kind.is_seen_late]

    def lost(self, frames: Sequence[FrameType] = ()) -> list[Lost]:
        """Return what a clone finds."""
        dropped: Counter[int] = Counter()
        with contextlib.suppress(OSError):
            pid = self._engine.start_check(
                _PLACE,
                untracks=True,
                prepare=partial(drop_locals, frames, dropped),
                explain=partial(explain_addresses, self._engine, _PLACE, dropped),
            )
            client.wait_for_clone(pid)
            if self._engine.is_done(_PLACE):
                found = findings(self._engine, _PLACE, self._frames)
                return [lost for finding in found for lost in Lost.parts_of(finding)]
        return []

    def stack(self, finding: Finding) -> list[str]:
        """Return the address at which the function goes on that asked for the block."""
        return [f"{frame.address:x}" for frame in finding.stack[:1]]
