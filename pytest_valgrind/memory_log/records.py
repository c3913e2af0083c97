"""The log: a line of JSON for each test, written as it ends, and read for the summary."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: Every line begins like this.
BEGINNING = b'{"nodeid": '


class MemoryOfTest(NamedTuple):
    """What is known of the memory of a test. Sizes are in bytes."""

    nodeid: str
    #: As pytest calls it: passed, failed, error, skipped, xfailed or xpassed.
    outcome: str
    #: From the beginning of its setup to the end of its teardown.
    seconds: float
    rss_start: int  #: resident set before its setup
    rss_end: int  #: and after its teardown
    rss_peak: int | None  #: at most in between, None where the system does not say
    heap_start: int | None = None  #: live bytes of the heap, None without the native engine
    heap_end: int | None = None
    blocks_start: int | None = None  #: live blocks of the heap
    blocks_end: int | None = None
    worker: str = ""  #: of pytest-xdist, empty without it

    @property
    def growth(self) -> int:
        """Bytes by which the resident set has grown."""
        return self.rss_end - self.rss_start

    @property
    def values(self) -> dict[str, int]:
        """What is measured of the memory, as far as it is known."""
        values = zip(_MEASURED, self._measured, strict=True)
        return {name: value for name, value in values if value is not None}

    @property
    def _measured(self) -> tuple[int | None, ...]:
        measured: Any = self[_FIRST_MEASURED:-1]
        return tuple(measured)

    @property
    def line(self) -> bytes:
        """As the log has it: what json.dumps makes of all fields, in a third of the time."""
        measured = ["null" if value is None else value for value in self._measured]
        nodeid, worker = json.dumps(self.nodeid), json.dumps(self.worker)
        line = _LINE % (nodeid, f'"{self.outcome}"', self.seconds, *measured, worker)
        return line.encode()


#: The fields that are bytes and blocks.
_FIRST_MEASURED = MemoryOfTest._fields.index("rss_start")
_MEASURED = MemoryOfTest._fields[_FIRST_MEASURED:-1]
_LINE = "{" + ", ".join(f'"{name}": %s' for name in MemoryOfTest._fields) + "}\n"


def write(path: Path, test: MemoryOfTest) -> None:
    """Add a line.

    It is one write(2) at the end of the file, so that lines of several processes are whole, and
    what is written stays if this process is killed. The file is opened each time: a test may close
    all descriptors, and what it opens then would have that number.

    :raises OSError: if it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(descriptor, test.line)
    finally:
        os.close(descriptor)


def read(path: Path) -> Iterator[MemoryOfTest]:
    """Yield what was written.

    :raises OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):  # else the disk was full
                yield MemoryOfTest(**json.loads(line))
