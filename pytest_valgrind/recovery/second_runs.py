"""Tests that run a second time, as a process died that had not checked them for leaks yet."""

from __future__ import annotations

# The C half alone, as in the journal.
import _pickle as pickle
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from pytest_valgrind.findings.finding import Finding


class SecondRun(NamedTuple):
    """A test that is to run a second time."""

    nodeid: str
    #: The errors of the first time.
    findings: tuple[Finding, ...] = ()


class SecondRuns:
    """The tests of this process that ran in another one before."""

    def __init__(self, runs: Iterable[SecondRun]) -> None:
        self._runs = list(runs)
        self._chosen: dict[pytest.Item, SecondRun] = {}
        #: The one that runs last.
        self.last: pytest.Item | None = None

    def choose(self, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """Return those of some tests that are to run a second time, in their order."""
        waiting: dict[str, list[SecondRun]] = {}
        for run in self._runs:
            waiting.setdefault(run.nodeid, []).append(run)
        for item in items:
            if runs := waiting.get(item.nodeid):
                self._chosen[item] = runs.pop(0)
                self.last = item
        return list(self._chosen)

    def earlier(self, item: pytest.Item) -> tuple[Finding, ...] | None:
        """Return the errors of a test's first run, None if this is the first."""
        chosen = self._chosen.get(item)
        return None if chosen is None else chosen.findings


def packed(runs: Sequence[SecondRun]) -> bytes:
    """Return them as they are sent to the process that is to run them."""
    return pickle.dumps(tuple(runs), protocol=4)


def unpacked(data: bytes) -> Sequence[SecondRun]:
    """Return what was sent.

    It is from this very package, in another process of the same user.
    """
    runs: Sequence[SecondRun] = pickle.loads(data)
    return runs


def carried(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings as they can be told in another process.

    The numbers in their stacks stand for other tests there.
    """
    return tuple(
        replace(
            finding,
            origin=None,
            further=tuple(further._replace(origin=None) for further in finding.further),
        )
        for finding in findings
    )


def not_again(earlier: Iterable[Finding], later: Iterable[Finding]) -> list[Finding]:
    """Return those of a first run that did not occur in the second."""
    occurred = {(finding.kind, finding.stack_of_extension) for finding in later}
    return [found for found in earlier if (found.kind, found.stack_of_extension) not in occurred]
