"""Mapped files and shared memory, as the kernel lists them: what can be told without an engine.

Anonymous private memory is left out: the allocators of Python and of the C library map it as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.resources.openings import Opening

_LINE = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) (....) [0-9a-f]+ \S+ (\d+) +(/.*|\[anon_shmem.*)", re.MULTILINE
)
_PAGE = 4096
# What the C library maps once, when a program asks for a language or an encoding.
_OF_C_LIBRARY = re.compile(r"/usr/(lib|share)/.*(/locale/|/gconv)")


class FileMapping(NamedTuple):
    """A mapping of a file, or of shared memory."""

    start: int
    stop: int
    inode: int
    path: str


class FileMappings:
    """The mappings of this process, but for those of object files."""

    kind = Kind.MAPPING

    def __init__(self) -> None:
        self._size = b""
        self._last: frozenset[FileMapping] = frozenset()

    def read(self) -> frozenset[FileMapping]:
        """Return them; none where there is no /proc."""
        if sys.platform != "linux":
            return frozenset()
        # The list takes 0.2 ms and more; the size of all of it, 5 microseconds.
        size = _read("/proc/self/statm", at_once=True).split(b" ", 1)[0]
        if size != self._size:
            self._size = size
            self._last = _mappings(_read("/proc/self/maps").decode("utf-8", "replace"))
        return self._last

    def settled(self, new: frozenset[FileMapping]) -> frozenset[FileMapping]:
        """Return those that are still there."""
        return new & self.read()

    def describe(self, thing: FileMapping) -> str:
        """Return its size and its file; anonymous shared memory is one of /dev/zero."""
        is_anonymous = thing.path.startswith(("/dev/zero", "[anon"))
        path = "shared memory" if is_anonymous else thing.path
        return f"{plural(thing.stop - thing.start, 'byte')} of {path}"

    def where(self, thing: FileMapping, openings: Sequence[Opening]) -> Stack:
        """Return where Python's mmap made one of its size."""
        return where_mapped(thing.stop - thing.start, openings)


def where_mapped(length: int, openings: Sequence[Opening]) -> Stack:
    """Return where Python's mmap made a mapping of so many bytes, in whole pages."""
    for opening in reversed(openings):
        if opening.event == "mmap.__new__" and isinstance(opening.what, tuple):
            asked = int(opening.what[1])
            # Where 0 is asked for, it is the whole file.
            if asked == 0 or -(-asked // _PAGE) * _PAGE == length:
                return opening.stack
    return ()


def _mappings(text: str) -> frozenset[FileMapping]:
    found = _LINE.findall(text)
    object_files = {inode for _, _, rights, inode, _ in found if "x" in rights}
    return frozenset(
        FileMapping(int(start, 16), int(stop, 16), int(inode), path)
        for start, stop, _, inode, path in found
        if inode not in object_files and not _OF_C_LIBRARY.match(path)
    )


def _read(path: str, *, at_once: bool = False) -> bytes:
    """Return what is in a file.

    :param at_once: whether a page has room for all of it.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if at_once:
            return os.read(fd, _PAGE)
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)
