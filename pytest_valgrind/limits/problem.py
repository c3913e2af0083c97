"""What is wrong with the memory of a test, in pytest-memray's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pytest_valgrind.limits.stacks import Allocations, shown


class Problem(NamedTuple):
    """What is wrong with the memory of a test."""

    message: str
    #: More about it, empty if there is no more.
    details: str = ""


def listed(title: str, found: Iterable[Allocations]) -> str:
    """Return the places where most was allocated below a title, nothing if none is known."""
    lines = [*shown(found)]
    return "\n".join([title, *lines]) if lines else ""
