"""The markers of tests: their names, what they mean, and the reasons that they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

KNOWN_ERROR = "valgrind_known_error"
KNOWN_LEAK = "valgrind_known_leak"
SKIP = "valgrind_skip"
NO_LEAK_CHECK = "no_leak_check"

MARKERS = {
    KNOWN_LEAK: "the test leaks memory and this is known: an expected failure under valgrind.",
    KNOWN_ERROR: "the test raises a valgrind error and this is known: an expected failure under "
    "valgrind.",
    SKIP: "skip the test, but only under valgrind.",
}

#: Of hunts for leaks, as pytest-leaks has it: with what it takes.
OF_HUNTS = (
    f'{NO_LEAK_CHECK}(fail=False, reason=""): do not repeat the test to look for leaks (-R); '
    "with fail=True it is listed as one that leaks."
)


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
