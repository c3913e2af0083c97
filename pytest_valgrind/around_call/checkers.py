"""Which checks are done around a call."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Checkers:
    """A field for each check."""

    memory: bool = True
    fds: bool = True
    handles: bool = True  #: on Windows
    c_threads: bool = True
    py_threads: bool = True
    gcgarbage: bool = True

    @classmethod
    def only(cls, *checks: str) -> Checkers:
        """Return these checks.

        :raises ValueError: if there is no such check.
        """
        return cls(**{name: name in checks for name in _valid(checks)})

    @classmethod
    def exclude(cls, *checks: str) -> Checkers:
        """Return all checks but these.

        :raises ValueError: if there is no such check.
        """
        return cls(**{name: name not in checks for name in _valid(checks)})


def _valid(checks: tuple[str, ...]) -> list[str]:
    """Return the names of all checks."""
    names = [field.name for field in fields(Checkers)]
    invalid = [name for name in checks if name not in names]
    if invalid:
        raise ValueError(f"invalid checker names: {', '.join(invalid)}")
    return names
