"""Leak checks: when they are done, and what each says about the tests before it.

The interface serves checks that come later than the test, too: a check is handed every test that
ran and returns those of which it knows by now what they leaked.
"""

from __future__ import annotations

from typing import Protocol

from pytest_valgrind.evidence import Evidence
from pytest_valgrind.findings import Finding
from pytest_valgrind.garbage import Garbage
from pytest_valgrind.ran import RanTest
from pytest_valgrind.stale import overwrite_stale_pointers


class LeakCheck(Protocol):
    """A way to find out which test leaked what."""

    #: In words, for the header.
    description: str
    #: Leaks that belong to no test.
    outside: list[Finding]

    def begin(self) -> None:
        """Take what is lost before the first test as lost outside the tests."""

    def before(self) -> None:
        """Get ready for a test."""

    def ran(self, test: RanTest) -> list[RanTest]:
        """Take a test that ran; return those whose leaks are known by now, in order."""

    def finish(self) -> list[RanTest]:
        """Return the rest."""


class NoCheck:
    """Leaks are not looked for (``--no-memcheck``)."""

    description = "errors only, no leaks"

    def __init__(self) -> None:
        self.outside: list[Finding] = []

    def begin(self) -> None:
        """Do nothing."""

    def before(self) -> None:
        """Do nothing."""

    def ran(self, test: RanTest) -> list[RanTest]:
        """Return the test."""
        return [test]

    def finish(self) -> list[RanTest]:
        """Return nothing."""
        return []


class ExactCheck:
    """A check in the process itself after every test.

    :param evidence: does the check.
    :param garbage: is brought out before.
    :param also_before: whether to check before every test as well, so that a block lost between
        two tests is never taken for one of the second's.
    """

    description = "errors, and leaks after every test"

    def __init__(self, evidence: Evidence, garbage: Garbage, *, also_before: bool) -> None:
        self.outside: list[Finding] = []
        self._evidence = evidence
        self._garbage = garbage
        self._also_before = also_before

    def begin(self) -> None:
        """Take what is lost before the first test as lost outside the tests."""
        self._garbage.settle_everything()
        self.outside.extend(self._check())

    def before(self) -> None:
        """Check once more, if asked to."""
        self._garbage.empty_free_lists()
        if self._also_before:
            self.outside.extend(self._check())

    def ran(self, test: RanTest) -> list[RanTest]:
        """Find the test's leaks and return the test."""
        for leak in self._check():
            (self.outside if leak.was_made_outside_tests else test.findings).append(leak)
        return [test]

    def finish(self) -> list[RanTest]:
        """Look for what was lost after the last test."""
        self.outside.extend(self._check())
        return []

    def _check(self) -> list[Finding]:
        overwrite_stale_pointers()
        return self._evidence.leaks()
