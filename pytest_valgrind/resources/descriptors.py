"""Open file descriptors: which there are, and what each is open on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.resources.openings import Opening, Openings
from pytest_valgrind.standard_library import kept_descriptors

_DIRECTORY = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"

# Capturing of output puts others in their place, and back.
_STANDARD = (0, 1, 2)
# Audit events.
_OPENS = ("open", "sqlite3.connect")


class Descriptor(NamedTuple):
    """An open descriptor, and what tells it from one that had the same number before."""

    fd: int
    device: int
    inode: int


class Descriptors:
    """The descriptors of this process.

    :param openings: has counted what was opened; None if it is not known.
    """

    kind = Kind.OPEN_DESCRIPTOR

    def __init__(self, openings: Openings | None = None) -> None:
        self._openings = openings
        #: Of the last reading: events before it, the numbers, and what they meant.
        self._count = -1
        self._numbers: frozenset[int] = frozenset()
        self._last: frozenset[Descriptor] = frozenset()

    def read(self) -> frozenset[Descriptor]:
        """Return them, but for the standard streams."""
        # Where nothing was opened, a number stands for the same as before. To ask for each takes
        # four times as long as to list them.
        count = self._openings.count if self._openings else self._count + 1
        if count == self._count and self._are_the_same():
            return self._last
        own = _lowest_free()
        names = os.listdir(_DIRECTORY)  # noqa: PTH208 (paths take three times as long)
        numbers = frozenset(map(int, names)).difference((own,))
        if count != self._count or numbers != self._numbers:
            found = map(_descriptor, numbers.difference(_STANDARD, kept_descriptors()))
            self._last = frozenset(descriptor for descriptor in found if descriptor)
        self._count, self._numbers = count, numbers
        return self._last

    def _are_the_same(self) -> bool:
        """Whether the numbers are those of the last reading: a third of the time to list them."""
        try:
            # From Linux 6.2 on, how many there are (fs/proc/fd.c).
            if not self._numbers or _size(_DIRECTORY) != len(self._numbers):
                return False
            for number in self._numbers:
                fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            return False
        return True

    def settled(self, new: frozenset[Descriptor]) -> frozenset[Descriptor]:
        """Return those that are still open."""
        return new & self.read()

    def describe(self, thing: Descriptor) -> str:
        """``file descriptor 7: /tmp/x``, as valgrind says it."""
        return described(thing.fd)

    def path(self, thing: Descriptor) -> str:
        """Return the file on which it is open, an empty string if it is none."""
        target = _target(thing.fd)
        return target if target.startswith("/") else ""

    def where(self, thing: Descriptor, openings: Sequence[Opening]) -> Stack:
        """Return where a file or socket was opened; of a pipe nobody knows."""
        target = _target(thing.fd).removesuffix(" (deleted)")
        if target.startswith("socket:"):
            found = (opening for opening in openings if _is_on(opening, thing.fd))
        else:
            found = (
                opening
                for opening in reversed(openings)
                if opening.event in _OPENS and _leads_to(opening.what, target)
            )
        opening = next(found, None)
        return opening.stack if opening else ()


def described(fd: int) -> str:
    """Return what a descriptor is open on: a path, the addresses of a socket, the end of a pipe."""
    target = _target(fd)
    if target.startswith("socket:"):
        return _of_socket(fd)
    if target.startswith("pipe:"):
        with contextlib.suppress(OSError):
            writes = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            target = f"the {'write' if writes else 'read'} end of a pipe"
    return f"file descriptor {fd}: {target.removeprefix('anon_inode:')}"


def _leads_to(path: object, target: str) -> bool:
    """Whether a path that was opened is that of a descriptor, as the kernel has it."""
    if not isinstance(path, str | bytes):  # a descriptor was opened as a file
        return False
    given = Path(os.fsdecode(path))
    # The working directory may have been another.
    return given.name == PurePath(target).name or str(given.resolve()) == target


def _size(directory: str) -> int:
    return os.stat(directory).st_size  # noqa: PTH116 (paths take three times as long)


def _lowest_free() -> int:
    """Return the number that the listing of the directory will have itself (open(2))."""
    try:
        free = os.dup(0)
    except OSError:
        return 0
    os.close(free)
    return free


def _descriptor(fd: int) -> Descriptor | None:
    try:
        found = os.fstat(fd)
    except OSError:  # another thread has closed it
        return None
    return Descriptor(fd, found.st_dev, found.st_ino)


def _target(fd: int) -> str:
    try:
        return str(Path(_DIRECTORY, str(fd)).readlink())
    except OSError:  # not on macOS
        return "?"


def _of_socket(fd: int) -> str:
    words = f"socket {fd}"
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as found:
        family = getattr(found.family, "name", found.family)
        type = getattr(found.type, "name", found.type)
        words = f"{family} {type} socket {fd}: {_address(found.getsockname())}"
        with contextlib.suppress(OSError):
            words += f" <-> {_address(found.getpeername())}"
    return words


def _address(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]}:{address[1]}"
    return os.fsdecode(address) if isinstance(address, str | bytes) and address else "unnamed"


def _is_on(opening: Opening, fd: int) -> bool:
    """Whether a socket that was made then is open on a descriptor."""
    if not isinstance(opening.what, weakref.ref):
        return False
    made = opening.what()
    return isinstance(made, socket.socket) and made.fileno() == fd
