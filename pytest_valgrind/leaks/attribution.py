"""Leak checks: when they are done, and what each says about the tests before it.

A check comes after every test or after many; it is handed every test that ran and returns those of
which it knows by now what they leaked, in order.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.leaks.groups import Unsettled
from pytest_valgrind.leaks.loss_records import LossRecords


class LeakAttribution(Protocol):
    """A way to find out which test leaked what."""

    #: Whether each test is settled as soon as it ran.
    settles_at_once: bool
    #: Leaks that belong to no test.
    outside: list[Finding]
    #: Leaks of which it is not known to which test they belong.
    unsettled: list[Unsettled]
    #: How many checks were done, and for how many groups of tests.
    checks: int
    groups: int

    @property
    def waiting(self) -> int:
        """How many tests ran of which it is not known yet what they leaked."""

    def begin(self) -> None:
        """Take what is lost before the first test as lost outside the tests."""

    def before(self) -> None:
        """Get ready for a test."""

    def after(self) -> None:
        """Get ready for what pytest does until the next test begins."""

    def may_follow(self, test: ItemRun) -> bool:
        """Whether a check that takes garbage for lost may follow a test that is about to end."""

    def add(self, test: ItemRun) -> None:
        """Take a test that ran."""

    def settled(self) -> list[ItemRun]:
        """Return the tests whose leaks are known by now, in order."""

    def settle_all(self) -> list[ItemRun]:
        """Return the rest, after the checks that this takes."""


class Mode(NamedTuple):
    """A leak check, and how the header calls it."""

    check: LeakAttribution
    description: str


class NoCheck:
    """Leaks are not looked for."""

    settles_at_once = True

    def __init__(self) -> None:
        self.outside: list[Finding] = []
        self.unsettled: list[Unsettled] = []
        self.checks = 0
        self.groups = 0
        self._ran: list[ItemRun] = []

    @property
    def waiting(self) -> int:
        """None, but for a moment."""
        return len(self._ran)

    def begin(self) -> None:
        """Do nothing."""

    def before(self) -> None:
        """Do nothing."""

    def after(self) -> None:
        """Do nothing."""

    def may_follow(self, test: ItemRun) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def add(self, test: ItemRun) -> None:
        """Take a test that ran."""
        self._ran.append(test)

    def settled(self) -> list[ItemRun]:
        """Return the test."""
        ran, self._ran = self._ran, []
        return ran

    def settle_all(self) -> list[ItemRun]:
        """Return what is left."""
        return self.settled()


class ProcessState(NamedTuple):
    """What all leak checks of a process share."""

    garbage: Garbage
    #: The tests, by the numbers of their frames.
    item_numbers: ItemNumbers
    #: What is known to be lost.
    loss_records: LossRecords
