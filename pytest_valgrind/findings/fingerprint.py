"""What stays the same of a finding when the code around it changes: its kind, functions, types."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Frame, Owner, Stack

#: Whose frames stay: what the interpreter does between them differs from version to version.
_LASTING = (Owner.EXTENSION, Owner.LIBRARY, Owner.PYTHON)
#: Of a stack without any of them.
_MOST_OF_OTHERS = 2
#: Characters of a fingerprint.
_LENGTH = 16


class Identity(NamedTuple):
    """What two findings of one defect have in common, whatever the numbers of lines."""

    #: All kinds of leak are one: an indirect one may become a definite one.
    kind: str
    #: From the innermost frame on, ``function (file)``.
    frames: tuple[str, ...]
    #: Of the Python objects that were lost, in the order of the alphabet.
    types: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """A text that tells it from others, in hexadecimal digits."""
        return digest(self.kind, *self.frames, "", *self.types)


def identity(finding: Finding) -> Identity:
    """Return what will be the same in the next version of the code."""
    kind = "leak" if finding.kind.is_leak else finding.kind.value
    return Identity(kind, _lasting(finding.stack), tuple(sorted(finding.types)))


def digest(*texts: str) -> str:
    """Return a short text for several, which is the same on every machine."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:_LENGTH]


def _lasting(stack: Stack) -> tuple[str, ...]:
    ends = [index for index, frame in enumerate(stack) if frame.owner is Owner.EXTENSION]
    own = stack[: ends[-1] + 1] if ends else stack
    frames = [frame for frame in own if frame.owner in _LASTING]
    return tuple(map(_without_line, frames or stack[:_MOST_OF_OTHERS]))


def _without_line(frame: Frame) -> str:
    return f"{frame.function} ({PurePath(frame.file or frame.object or '?').name})"
