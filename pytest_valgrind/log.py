"""Valgrind's log as a file: what is new in it."""

from __future__ import annotations

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
        size = os.fstat(self._descriptor).st_size
        if size < self._offset:
            self.was_truncated = True
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
