"""What the file descriptors are open on that a run leaves behind."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

_DIRECTORY = Path("/proc/self/fd")
# What the kernel appends to the path of a file that is gone, and to that of no file.
_DELETED = " (deleted)"
_NUMBER = re.compile(r":\[\d+\]")
_MOST = 2


def descriptors() -> dict[str, str]:
    """Return what each descriptor is open on: a path, or ``socket``, ``pipe``, ``anon_inode:x``."""
    found = {}
    for path in list(_DIRECTORY.iterdir()):
        # That of the directory is closed by now.
        with contextlib.suppress(OSError):
            found[path.name] = _NUMBER.sub("", str(path.readlink()))
    return found


def in_words(opened: Iterable[str]) -> Iterator[str]:
    """Yield lines about descriptors, what most of them are open on first.

    :param opened: what each is open on. Files with names of their own in one directory, as
        temporary ones have, make one line.
    """
    targets: Counter[str] = Counter()
    # Not all at once: abstract classes would keep what they have been asked about it.
    for target in opened:
        targets[target] += 1
    directories: dict[PurePath, list[str]] = {}
    for target in targets:
        if target.startswith("/"):
            directories.setdefault(PurePath(target).parent, []).append(target)
    lines: Counter[str] = Counter()
    for directory, paths in directories.items():
        if len(paths) > _MOST:
            words = f"files in {directory}, such as {PurePath(paths[0]).name}"
            lines[words] = sum(targets.pop(path) for path in paths)
    for words, count in (lines + targets).most_common(_MOST):
        yield f"{count:,} open: {words}"
