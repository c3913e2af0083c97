"""A kind of resource: what there is of it now, and each thing in words."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.resources.openings import Opening

Thing = TypeVar("Thing", bound=Hashable)


class Resource(Protocol[Thing]):
    """Knows one kind of resource of this process."""

    @property
    def kind(self) -> Kind:
        """As which it is reported."""

    def read(self) -> frozenset[Thing]:
        """Return what there is now, but for what the interpreter keeps for its own life.

        It is called twice for each test, and so must take some ten microseconds at most.
        """

    def settled(self, new: frozenset[Thing]) -> frozenset[Thing]:
        """Return what is left of new things after a moment, in which some may end by themselves."""

    def describe(self, thing: Thing) -> str:
        """Return what it is: after the kind in a line."""

    def where(self, thing: Thing, openings: Sequence[Opening]) -> Stack:
        """Return where it was opened, nothing if that is not known."""
