"""What is known to be lost, so that each lost block is reported once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pytest_valgrind.findings.finding import Finding

_Key = tuple[object, ...]


class LossRecords:
    """Finds out what was lost between two leak checks.

    A check prints by how much each loss record grew since the last check *of the same process*. One
    in a clone leaves no trace in the process, so that the next prints the same once more.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def grown(self, records: Iterable[Finding], *, in_process: bool) -> list[Finding]:
        """Return what the records grew by since the last call.

        :param records: all that a check printed.
        :param in_process: whether the process itself did it, and later ones will count from here.
        """
        totals: dict[_Key, tuple[int, int]] = {}
        found = []
        for record in records:
            key = (record.kind, record.origin, tuple(frame.address for frame in record.stack))
            # On some processors two records differ only below the frame of the test.
            bytes_before, blocks_before = totals.get(key, (0, 0))
            totals[key] = (bytes_before + record.bytes, blocks_before + record.blocks)
            known_bytes, known_blocks = self._known.pop(key, (0, 0))
            size, blocks = record.bytes - known_bytes, record.blocks - known_blocks
            # Of no more blocks: what hangs on those that were lost before has grown, as on a frame.
            if blocks > 0 or not record.stack:
                found.append(replace(record, bytes=size, blocks=blocks))
            elif size < 0 or blocks < 0:
                # More was known than this record has: the rest is of the next with the same key.
                self._known[key] = (-size, -blocks)
        self._known = {} if in_process else totals
        return found

    def would_grow(self, records: Iterable[Finding]) -> list[Finding]:
        """Return the same, and take no note of it."""
        known = self._known.copy()
        try:
            return self.grown(records, in_process=False)
        finally:
            self._known = known
