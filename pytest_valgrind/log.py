"""Valgrind's log as a file: what is new in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Log:
    """Follows a log that valgrind is writing.

    :param path: the log's path, or that of an open descriptor of it.
    :raises OSError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0
        #: Whether somebody else has emptied the file.
        self.was_truncated = False

    def read(self) -> str:
        """Return what was written since the last call."""
        if self.size() < self._offset:
            self.was_truncated = True
            self._offset = 0
        text = self._bytes_from(self._offset)
        self._offset += len(text)
        return text.decode("utf-8", "replace")

    def read_from(self, offset: int, pid: int) -> str:
        """Return what was written since the log had a size, in bytes.

        :param pid: of a clone, which has a log of its own if the process id is part of the name
            (valgrind's manual, 2.6.1, --log-file); this one is deleted.
        """
        text = self._bytes_from(offset)
        if (own := self._own_log(pid)) is not None:
            text += own.read_bytes()
            own.unlink()
        return text.decode("utf-8", "replace")

    def forget(self, pid: int) -> None:
        """Delete a clone's own log, if it has one."""
        if (own := self._own_log(pid)) is not None:
            own.unlink()

    def _own_log(self, pid: int) -> Path | None:
        own = self.path.with_name(self.path.name.replace(str(os.getpid()), str(pid)))
        if own != self.path:
            # The digits may mean something else, and the file be somebody's.
            with contextlib.suppress(OSError), own.open("rb") as file:
                start = f"=={pid}==".encode()
                return own if file.read(len(start)) == start else None
        return None

    def size(self) -> int:
        """Return the size in bytes."""
        return os.fstat(self._descriptor).st_size

    def skip(self) -> None:
        """Pass over what was written since the last call."""
        self._offset = self.size()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _bytes_from(self, offset: int) -> bytes:
        chunks = []
        while chunk := os.pread(self._descriptor, 1 << 20, offset):
            chunks.append(chunk)
            offset += len(chunk)
        return b"".join(chunks)
