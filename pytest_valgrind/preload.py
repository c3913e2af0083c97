"""LD_PRELOAD: which shared objects of the package a process starts with, and by which names."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pytest_valgrind.package import PACKAGE

#: The variable's name.
NAME = "LD_PRELOAD"
# The loader takes the first two for separators, and expands what follows the third (ld.so(8)).
_TROUBLE = "[ :$]"
_ELSEWHERE = ("/tmp", "/dev/shm", "/var/tmp")


def repairs() -> Path | None:
    """Return the shared object of csrc/repairs.c, None if it was not built."""
    return next(PACKAGE.glob("_repairs*.so"), None)


def children() -> Path | None:
    """Return the shared object of csrc/child_preload.c, None if it was not built."""
    return next(PACKAGE.glob("_child_preload*.so"), None)


def heap() -> Path | None:
    """Return the shared object of the heap engine, None if it was not built."""
    return next(PACKAGE.glob("_heap*.so"), None)


def counting() -> Path | None:
    """Return the shared object of csrc/counting_*.c, None if it was not built."""
    return next(PACKAGE.glob("_counting*.so"), None)


def changes(
    objects: Iterable[Path | None], present: str | None, directory: Path | None = None
) -> dict[str, str]:
    """Return what the environment must hold for a process that starts with shared objects.

    :param objects: None for each that is not there.
    :param present: value of the variable as it is, None if it is not set.
    :param directory: where links may be put, which go with it.
    :raises pytest.UsageError: if an object can be given no name that the loader understands.
    """
    names = [_name(path, directory) for path in objects if path]
    return {NAME: " ".join([*names, *filter(None, [present])])} if names else {}


def _name(path: Path, directory: Path | None) -> str:
    if not re.search(_TROUBLE, str(path)):
        return str(path)
    for place in _places(directory):
        link = place / path.name
        try:
            link.symlink_to(path)
        except OSError:
            continue
        return str(link)
    raise pytest.UsageError(
        f"--valgrind: {path} has a space, a colon or a dollar in its path, which {NAME} cannot "
        f"hold, and no link to it can be made in {', '.join(_ELSEWHERE)}: name a directory without "
        "such characters in TMPDIR."
    )


def _places(directory: Path | None) -> Iterator[Path]:
    """Yield directories without troublesome characters that may be there."""
    if directory and not re.search(_TROUBLE, str(directory)):
        yield directory
    for place in (os.environ.get("TMPDIR", ""), *_ELSEWHERE):
        if not Path(place).is_absolute() or re.search(_TROUBLE, place):
            continue
        try:
            made = tempfile.mkdtemp(prefix="pytest-valgrind-", dir=place)
        except OSError:
            continue
        atexit.register(_remove, made, os.getpid())
        yield Path(made)


def _remove(directory: str, owner: int) -> None:
    """Remove a directory at the end of the process that made it, not of its forks."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
