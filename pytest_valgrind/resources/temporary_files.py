"""Temporary files and directories that were made by Python's tempfile and are still there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.resources.openings import Opening, Openings


class TemporaryFiles:
    """The paths that tempfile has chosen while somebody listened.

    The directory itself is not listed: other processes have files there, such as other workers.
    """

    kind = Kind.TEMPORARY_FILE

    def __init__(self, openings: Openings) -> None:
        self._openings = openings
        self._last: frozenset[str] = frozenset()

    def read(self) -> frozenset[str]:
        """Return those that are there."""
        chosen = {_path(opening) for opening in self._openings.noted if _is_one(opening)}
        if chosen or self._last:
            self._last = frozenset(filter(os.path.lexists, self._last | chosen))
        return self._last

    def settled(self, new: frozenset[str]) -> frozenset[str]:
        """Return those that are still there, and look at them no more."""
        self._last -= new
        return frozenset(filter(os.path.lexists, new))

    def describe(self, thing: str) -> str:
        """Return its path, which ends with a slash if it is a directory."""
        return f"{thing}/" if Path(thing).is_dir() else thing

    def where(self, thing: str, openings: Sequence[Opening]) -> Stack:
        """Return where its name was chosen."""
        return next(
            (opening.stack for opening in openings if _is_one(opening) and _path(opening) == thing),
            (),
        )


def _is_one(opening: Opening) -> bool:
    return opening.event.startswith("tempfile.") and isinstance(opening.what, str | bytes)


def _path(opening: Opening) -> str:
    assert isinstance(opening.what, str | bytes)
    return str(Path.cwd() / os.fsdecode(opening.what))
