"""What a further run of a test needs of an engine: what it sees in the forked process."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import NamedTuple, Protocol

from pytest_valgrind.findings.finding import Finding


class Lost(NamedTuple):
    """An object or a block that was lost."""

    finding: Finding  #: of which it is a part
    address: str  #: hexadecimal, of the object if it is one
    type: str  #: of the object, empty for a block

    @classmethod
    def parts_of(cls, finding: Finding) -> list[Lost]:
        """Return the parts of a finding whose objects are addresses (objects/lost_objects.py)."""
        parts = [words.partition(" ") for words in finding.objects]
        return [cls(finding, address, kind) for address, _, kind in parts]


class Observer(Protocol):
    """Sees errors and leaks in the forked process; knows of that process in its parent."""

    @property
    def seconds(self) -> float:
        """Seconds that the checks of one run may take."""

    def forked(self, pid: int) -> None:
        """Take note, in the parent, of such a process."""

    def ended(self, pid: int) -> None:
        """Take note, in the parent, that it has come to its end."""

    def begin(self) -> None:
        """Get ready, in the fork, for errors that were not there before."""

    def count_errors(self) -> int:
        """Return how many errors there were so far; this is called at each line."""

    def errors(self, where: str, phase: str) -> Sequence[Finding]:
        """Return the errors since the last call."""

    def lost(self, frames: Sequence[FrameType] = ()) -> list[Lost]:
        """Return what is lost now.

        :param frames: what their local variables keep alone is lost as well.
        """

    def stack(self, finding: Finding) -> list[str]:
        """Return what two findings have in common that are made at the same place in C."""
