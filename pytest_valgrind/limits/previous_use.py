"""What tests with a limit used in earlier runs, kept in pytest's cache: a line of JSON for each."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

#: By how much more than before a test may use: hashes, and so dicts, differ from run to run.
_TOLERANCE = 1.01
_TOLERATED_BYTES = 4096


class PreviousUse:
    """Reads it before the first test, and adds to it after the last one.

    Several workers of pytest-xdist add to the file, each by one write at its end. The last line of
    a test counts.

    :param path: of the file, None if nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._earlier: dict[str, int] = {}
        self._now: dict[str, int] = {}
        lines = 0
        for nodeid, used in _read(path):
            self._earlier[nodeid] = used
            lines += 1
        if path is not None and lines > 2 * len(self._earlier):
            _write(path, self._earlier, "w")

    def exceeded(self, nodeid: str, used: int) -> int | None:
        """Return what a test used when it did not use too much, None if that was as much.

        :param used: bytes that it uses now.
        """
        most = self._earlier.get(nodeid)
        if most is None or used <= max(most * _TOLERANCE, most + _TOLERATED_BYTES):
            return None
        return most

    def note(self, nodeid: str, used: int) -> None:
        """Take the bytes that a test uses now for what counts from the next run on."""
        if self._earlier.get(nodeid) != used:
            self._now[nodeid] = used

    def write(self) -> None:
        """Add what was noted."""
        if self._path is not None and self._now:
            _write(self._path, self._now, "a")


def _read(path: Path | None) -> Iterator[tuple[str, int]]:
    if path is not None:
        with contextlib.suppress(OSError, ValueError), path.open(encoding="utf-8") as file:
            for line in file:
                nodeid, used = json.loads(line)
                yield nodeid, used


def _write(path: Path, used: dict[str, int], mode: str) -> None:
    text = "".join(f"{json.dumps(entry)}\n" for entry in used.items())
    # It is a cache: what cannot be written is not known the next time.
    with contextlib.suppress(OSError), path.open(f"{mode}b", buffering=0) as file:
        file.write(text.encode())
