"""Leaks of which a group check cannot say in which test they were lost, and how to find out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence

import pytest

from pytest_valgrind.findings import Finding, merged, plural
from pytest_valgrind.groups import Group, Unsettled
from pytest_valgrind.report import of_group

#: More tests than this are not named one by one.
_MOST_NAMED = 10


def by_group(unsettled: Iterable[Unsettled]) -> Iterator[tuple[Group, list[Finding]]]:
    """Return the leaks of each group, those of the same place together."""
    groups: dict[int, tuple[Group, list[Finding]]] = {}
    for lost in unsettled:
        groups.setdefault(id(lost.group), (lost.group, []))[1].append(lost.finding)
    for group, findings in groups.values():
        yield group, merged(findings)


def not_among(unsettled: Iterable[Unsettled], leaks: Iterable[Finding]) -> list[Unsettled]:
    """Return those that are not of the place of any leak that was found again."""
    places = {leak.stack_of_extension for leak in leaks}
    return [lost for lost in unsettled if lost.finding.stack_of_extension not in places]


def items_of(unsettled: Iterable[Unsettled]) -> list[pytest.Item]:
    """Return the tests that may have lost them, in the order in which they ran."""
    tests = {test.place: test.item for lost in unsettled for test in lost.group.tests}
    return [tests[place] for place in sorted(tests)]


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
