"""Valgrind's log as a file: what is new in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.log_names import LogNames

_CHUNK = 1 << 20  # bytes
# A line from valgrind is shorter, whatever names are in it; one without an end is no text.
_LONGEST_LINE = 1 << 20  # bytes


class Log:
    """Follows a log that valgrind is writing.

    Lines come one by one, so that a log of any size can be read. The last one comes when it is
    complete: where several processes write, one of them may be in the middle of it.

    :param path: the log's path, or that of an open descriptor of it.
    :param names: of the logs of processes, None if there are no others than this.
    :raises OSError: if it cannot be read.
    """

    def __init__(self, path: Path, names: LogNames | None = None) -> None:
        self.path = path
        self._names = names
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0
        #: Whether somebody else has emptied the file.
        self.was_truncated = False

    def read(self) -> Iterator[str]:
        """Yield the lines that were written since the last call, without their ends."""
        if self.size() < self._offset:
            self.was_truncated = True
            self._offset = 0
        for line in _lines(self._descriptor, self._offset):
            self._offset += len(line)
            yield _text(line)

    def read_from(self, offset: int, pid: int) -> Iterator[str]:
        """Yield the lines that were written since the log had a size, in bytes.

        :param pid: of a clone, which has a log of its own if the process id is part of the name;
            this one is deleted.
        """
        if (own := self._own_log(pid)) is not None:
            with own.open("rb") as file:
                yield from _texts(file.fileno(), 0)
            own.unlink()
        # With valgrind's gdbserver, its own has no more than a head.
        yield from _texts(self._descriptor, offset)

    def forget(self, pid: int) -> None:
        """Delete a clone's own log, if it has one."""
        if (own := self._own_log(pid)) is not None:
            own.unlink()

    def _own_log(self, pid: int) -> Path | None:
        if self._names is None or (own := self._names.of_fork(pid)) == self.path:
            return None
        # It may be somebody else's, from before.
        with contextlib.suppress(OSError), own.open("rb") as file:
            first = map(_text, islice(_lines(file.fileno(), 0), 1))
            return own if any(read_lines(first, pid)) else None
        return None

    def size(self) -> int:
        """Return the size in bytes."""
        return os.fstat(self._descriptor).st_size

    def skip(self) -> None:
        """Pass over what was written since the last call."""
        self._offset = self.size()

    def find(self, *texts: str) -> set[str]:
        """Return those of some texts, each part of a line, that are anywhere in the log."""
        wanted = {text: text.encode() for text in texts}
        found: set[str] = set()
        overlap = max(map(len, wanted.values()))
        offset = 0
        while chunk := os.pread(self._descriptor, _CHUNK + overlap, offset):
            found.update(text for text, encoded in wanted.items() if encoded in chunk)
            offset += _CHUNK
        return found

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_to_end(path: Path | str) -> Iterator[str]:
    """Yield all lines of a log into which nobody writes any more.

    :raises OSError: if it cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (from a clone, the less the better)
        yield from _texts(file.fileno(), 0, to_end=True)


def _texts(descriptor: int, offset: int, *, to_end: bool = False) -> Iterator[str]:
    """Yield the lines from a place on, without their ends.

    :param to_end: whether to yield the last one even if it has none.
    """
    for lines in _chunks(descriptor, offset, to_end=to_end):
        # Decoded at once: line by line, that is a good part of reading a log.
        text = b"\n".join(b"".join(lines).splitlines())
        yield from text.decode("utf-8", "replace").split("\n")


def _lines(descriptor: int, offset: int) -> Iterator[bytes]:
    """Yield the lines from a place on, each with its end."""
    return chain.from_iterable(_chunks(descriptor, offset))


def _chunks(descriptor: int, offset: int, *, to_end: bool = False) -> Iterator[list[bytes]]:
    """Yield the lines from a place on, each with its end, some at a time.

    :param to_end: whether to yield the last one even if it has none.
    """
    rest = b""
    while chunk := os.pread(descriptor, _CHUNK, offset):
        offset += len(chunk)
        *lines, rest = (rest + chunk).splitlines(keepends=True)
        if rest.endswith(b"\n") or len(rest) > _LONGEST_LINE:
            lines.append(rest)
            rest = b""
        if lines:
            yield lines
    if rest and to_end:
        yield [rest]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "replace")
