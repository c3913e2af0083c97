"""The markers of tests: their names, what they mean, and the reasons that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import pytest

KNOWN_ERROR = "valgrind_known_error"
KNOWN_LEAK = "valgrind_known_leak"
SKIP = "valgrind_skip"
NO_LEAK_CHECK = "no_leak_check"
ALLOW_LEFTOVER = "allow_leftover"
LIMIT_MEMORY = "limit_memory"
LIMIT_LEAKS = "limit_leaks"

#: Those of the engines.
MARKERS = {
    KNOWN_LEAK: "the test leaks memory and this is known: an expected failure where leaks are "
    "looked for, be it by --heapcheck, --valgrind or -R.",
    KNOWN_ERROR: "the test has memory errors and this is known: an expected failure under "
    "--valgrind and --heapcheck.",
    SKIP: "skip the test under valgrind; natively, and so with --heapcheck, it runs.",
}

#: Those of other checks, with what they take; limits are as pytest-memray has them.
OTHER_MARKERS = {
    f"{ALLOW_LEFTOVER}(*names, reason=None)": "the test may leave resources behind; the names are "
    "those of --resources, and without one it may leave anything.",
    f'{NO_LEAK_CHECK}(fail=False, reason="")': "do not repeat the test to look for leaks; "
    "with fail=True it is listed as one that leaks.",
    f"{LIMIT_MEMORY}(limit, current_thread_only=False)": "fail the test if it uses as much memory "
    'at a time, for example "24 MB".',
    f"{LIMIT_LEAKS}(location_limit, filter_fn=None, current_thread_only=False)": "fail the test if "
    "one place in the code leaves as much memory allocated at the end of the call.",
}


def declarations() -> Iterator[str]:
    """Yield a line for each marker, as pytest has them in its ini file."""
    for name, meaning in MARKERS.items():
        yield f"{name}(reason=None): {meaning}"
    for declared, meaning in OTHER_MARKERS.items():
        yield f"{declared}: {meaning}"


def have_limits(items: Iterable[pytest.Item]) -> bool:
    """Whether a marker limits the memory of any test.

    Each node is looked at once: every run of pytest calls this.
    """
    seen: set[object] = set()
    for item in items:
        node: Any = item
        while node is not None and node not in seen:
            seen.add(node)
            if any(mark.name in (LIMIT_MEMORY, LIMIT_LEAKS) for mark in node.own_markers):
                return True
            node = node.parent
    return False


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
