"""Leaks of which a group check cannot say in which test they were lost, and how to find out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence

import pytest

from pytest_valgrind.findings.finding import Finding, merged, plural
from pytest_valgrind.findings.results import Undecided
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.groups import Group, Unsettled
from pytest_valgrind.reporting.reports import of_group

#: More tests than this are not named one by one.
_MOST_NAMED = 10


def by_group(unsettled: Iterable[Unsettled]) -> Iterator[tuple[Group, list[Finding]]]:
    """Return the leaks of each group, those of the same place together."""
    groups: dict[tuple[int, int], tuple[Group, list[Finding]]] = {}
    for lost in unsettled:
        key = lost.group.tests[0].place, lost.group.last
        groups.setdefault(key, (lost.group, []))[1].append(lost.finding)
    for group, findings in groups.values():
        yield group, merged(findings)


class Doubts:
    """Unsettled leaks, and which of them have appeared again when tests were run once more."""

    def __init__(self, unsettled: Iterable[Unsettled]) -> None:
        self._all = list(unsettled)
        self._appeared: set[int] = set()

    @property
    def tests(self) -> list[ItemRun]:
        """The tests that may have lost something, in the order in which they ran."""
        tests = {test.place: test for lost in self._all for test in lost.group.tests}
        return [tests[place] for place in sorted(tests)]

    @property
    def left(self) -> list[Unsettled]:
        """Those that have not appeared."""
        return [lost for n, lost in enumerate(self._all) if n not in self._appeared]

    def concern(self, test: ItemRun) -> bool:
        """Whether it is worth while to run a test again.

        Most blocks are lost where they were made, and the tests after that need not be run then.
        """
        return any(
            lost.group.tests[0].place <= test.place <= lost.group.last
            for n, lost in enumerate(self._all)
            if not (lost.knows_maker and n in self._appeared)
        )

    def answered_by(self, nodeid: str, leak: Finding) -> bool:
        """Take a leak of a test that was run again; return whether it is one of these."""
        maker = leak.made_in or leak.fixture or nodeid
        found = {
            n
            for n, (finding, _, knows_maker) in enumerate(self._all)
            if finding.stack_of_extension == leak.stack_of_extension
            and not (knows_maker and finding.made_in != maker)
        }
        self._appeared |= found
        return bool(found)


def undecided(unsettled: Iterable[Unsettled]) -> list[Undecided]:
    """Return them as plain values."""
    return [
        Undecided(lost.finding, tuple(test.nodeid for test in lost.group.tests))
        for lost in unsettled
    ]


def report(
    group: Group, findings: Sequence[Finding], session: pytest.Session, *, ran_again: bool
) -> pytest.CollectReport:
    """Return the report of leaks that one of a group's tests has lost."""
    tests = group.tests
    lines = [
        f"One of {plural(len(tests), 'test')} lost this memory, and its stack does not say which: "
        f"{_names(group)}."
    ]
    if starters := [test.nodeid for test in tests if test.threads]:
        named = ", ".join(starters[:_MOST_NAMED])
        more = f" and {len(starters) - _MOST_NAMED} more" if len(starters) > _MOST_NAMED else ""
        lines.append(f"Threads were started by {named}{more}.")
    if ran_again:
        lines.append("They were run again one by one, and it did not appear.")
    else:
        lines.append(f"To find out: {command(group, session)}")
    return of_group(tests[-1].item.location[0], lines, findings)


def command(group: Group, session: pytest.Session) -> str:
    """Return the command that runs just a group's tests, with a leak check after each."""
    items = [test.item for test in group.tests]
    wanted = {item.nodeid for item in items}
    whole = {
        path
        for path in {item.nodeid.partition("::")[0] for item in items}
        if all(item.nodeid in wanted for item in session.items if _path(item) == path)
    }
    names = dict.fromkeys(_path(item) if _path(item) in whole else item.nodeid for item in items)
    config = session.config
    up = os.path.relpath(config.rootpath, config.invocation_params.dir)
    relative = [name if up == "." else f"{up}/{name}" for name in names]
    return f"pytest --valgrind --valgrind-leak-check=exact {shlex.join(relative)}"


def _names(group: Group) -> str:
    nodeids = [test.nodeid for test in group.tests]
    if len(nodeids) <= _MOST_NAMED:
        return ", ".join(nodeids)
    return f"{nodeids[0]} to {nodeids[-1]}"


def _path(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
