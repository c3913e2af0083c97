"""The objects that pytest keeps for each test: references to them are not counted.

In a suite of thousands of tests that is most of what there is: tests, their marks and names, and
the reports of those that have run.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable

import pytest

from pytest_valgrind import client

#: Types of what hangs on a test, or on a report, and of what has no name for others. Where a
#: release calls them otherwise, they are counted.
_OF_PYTEST = frozenset({"FuncFixtureInfo", "NodeId", "NodeKeywords", "Stash", "TopRequest"})
_CONTAINERS = (dict, list, set)
#: From a test by its attributes, or its dictionary of these, to what these have.
_DEPTH = 2
#: Tests that must have run since they were looked for; and what part of those that have, and of all
#: that there are, as it takes longer the more there are of either.
_LEAST = 50
_PART = 4
_PART_OF_ALL = 16


class ObjectsOfPytest:
    """Leaves them out when references are counted.

    :param freezes: whether objects are frozen; else nothing is left out.
    """

    def __init__(self, *, freezes: bool) -> None:
        self._freezes = freezes
        self._tests = 0
        self._next = 0

    def leave_out(self, session: pytest.Session) -> None:
        """Leave out those that there are, from time to time: before each test."""
        if self._freezes and self._tests >= self._next:
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            # Workers of pytest-xdist have none.
            stats = getattr(reporter, "stats", {})
            reports = [report for listed in stats.values() for report in listed]
            client.leave_out(list(_with_parts([*session.items, *reports])), gc.freeze)
            of_all = len(session.items) // _PART_OF_ALL
            self._next = self._tests + max(_LEAST, self._tests // _PART, of_all)
        self._tests += 1

    def forget(self) -> None:
        """Look for them again, as the collector has looked at everything."""
        self._next = 0


def _with_parts(things: list[object]) -> Iterable[object]:
    """Return also what they consist of. What a test has of others, as parameters, is not."""
    found = {id(thing): thing for thing in things}
    outer = things
    for _ in range(_DEPTH):
        parts = {id(part): part for part in gc.get_referents(*outer) if _is_part(part)}
        outer = [part for number, part in parts.items() if number not in found]
        found.update(parts)
    return found.values()


def _is_part(thing: object) -> bool:
    kind = type(thing)
    return kind in _CONTAINERS or (
        kind.__name__ in _OF_PYTEST and kind.__module__.startswith("_pytest.")
    )
