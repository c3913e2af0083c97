"""Objects that the garbage collector has found and cannot free (``gc.garbage``)."""

from __future__ import annotations

import gc
from collections.abc import Sequence

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.objects.safe_repr import safe_repr
from pytest_valgrind.resources.openings import Opening


class GarbageList:
    """The objects in that list, by their addresses: they live as long as they are in it."""

    kind = Kind.GARBAGE

    def read(self) -> frozenset[int]:
        """Return their addresses."""
        # Only a collection puts objects there. What a test has made lately is all it looks at: the
        # old generation takes 30 ms.
        gc.collect(1)
        return frozenset(map(id, gc.garbage)) if gc.garbage else frozenset()

    def settled(self, new: frozenset[int]) -> frozenset[int]:
        """Return those that are still in the list."""
        return new & self.read()

    def describe(self, thing: int) -> str:
        """Return the type, and what the object looks like."""
        found = next((each for each in gc.garbage if id(each) == thing), None)
        return f"{type(found).__qualname__}, {safe_repr(found)}"

    def where(self, thing: int, openings: Sequence[Opening]) -> Stack:  # noqa: ARG002
        """Return nothing: nobody has noted it."""
        return ()
