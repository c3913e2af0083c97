"""The markers of tests: their names, what they mean, and the reasons that they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

KNOWN_ERROR = "valgrind_known_error"
KNOWN_LEAK = "valgrind_known_leak"
SKIP = "valgrind_skip"
NO_LEAK_CHECK = "no_leak_check"
ALLOW_LEFTOVER = "allow_leftover"

#: Those of the engines.
MARKERS = {
    KNOWN_LEAK: "the test leaks memory and this is known: an expected failure under valgrind.",
    KNOWN_ERROR: "the test raises a valgrind error and this is known: an expected failure under "
    "valgrind.",
    SKIP: "skip the test, but only under valgrind.",
}

#: Those of checks that need no engine, with what they take.
OTHER_MARKERS = {
    f"{ALLOW_LEFTOVER}(*names, reason=None)": "the test may leave resources behind; the names are "
    "those of --resources, and without one it may leave anything.",
    f'{NO_LEAK_CHECK}(fail=False, reason="")': "do not repeat the test to look for leaks; "
    "with fail=True it is listed as one that leaks.",
}


def declarations() -> Iterator[str]:
    """Yield a line for each marker, as pytest has them in its ini file."""
    for name, meaning in MARKERS.items():
        yield f"{name}(reason=None): {meaning}"
    for declared, meaning in OTHER_MARKERS.items():
        yield f"{declared}: {meaning}"


class Mark(Protocol):
    """The part of a pytest marker that is used here."""

    @property
    def args(self) -> tuple[Any, ...]: ...

    @property
    def kwargs(self) -> Mapping[str, Any]: ...


class KnownMark(NamedTuple):
    """A marker of a test that says that a finding is known, as plain values."""

    name: str
    reason: str
    args: tuple[str, ...] = ()

    @property
    def kwargs(self) -> Mapping[str, str]:
        """As a pytest marker has them."""
        return {"reason": self.reason}


def reason_of(mark: Mark) -> str:
    """Return the reason that a marker gives, empty if it gives none."""
    return str(mark.kwargs.get("reason") or (mark.args[0] if mark.args else ""))
