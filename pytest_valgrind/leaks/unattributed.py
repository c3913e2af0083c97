"""Leaks of which a group check cannot say in which test they were lost, and how to find out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator

import pytest

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.results import Undecided
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.groups import Group, Unsettled

#: More tests than this are not named one by one.
_MOST_NAMED = 10
#: And more than this are not given to a command, but their files.
_MOST_GIVEN = 40


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
    """Return them as plain values, as they are known while tests run."""
    return [Undecided(lost.finding, _nodeids(lost.group)) for lost in unsettled]


def explained(
    unsettled: Iterable[Unsettled], session: pytest.Session, *, ran_again: bool
) -> list[Undecided]:
    """Return them as plain values, with what is known in the end.

    :param ran_again: whether the tests were run once more.
    """
    return [
        Undecided(lost.finding, _nodeids(lost.group), tuple(_lines(lost.group, session, ran_again)))
        for lost in unsettled
    ]


def _lines(group: Group, session: pytest.Session, ran_again: bool) -> Iterator[str]:
    tests = group.tests
    yield (
        f"One of {plural(len(tests), 'test')} lost this memory, and its stack does not say which: "
        f"{_names(group)}."
    )
    if starters := [test.nodeid for test in tests if test.threads]:
        named = ", ".join(starters[:_MOST_NAMED])
        more = f" and {len(starters) - _MOST_NAMED} more" if len(starters) > _MOST_NAMED else ""
        yield f"Threads were started by {named}{more}."
    if ran_again:
        yield "They were run again one by one, and it did not appear."
    else:
        yield f"To find out: {command(group, session)}"


def command(group: Group, session: pytest.Session) -> str:
    """Return the command that runs a group's tests, or their files, with a check after each."""
    items = [test.item for test in group.tests]
    wanted = {item.nodeid for item in items}
    whole = {
        path
        for path in {item.nodeid.partition("::")[0] for item in items}
        if all(item.nodeid in wanted for item in session.items if _path(item) == path)
    }
    if len(items) > _MOST_GIVEN:
        whole = {_path(item) for item in items}
    names = dict.fromkeys(_path(item) if _path(item) in whole else item.nodeid for item in items)
    config = session.config
    up = os.path.relpath(config.rootpath, config.invocation_params.dir)
    relative = [name if up == "." else f"{up}/{name}" for name in names]
    by_valgrind = config.getoption("valgrind")
    engine = "--valgrind --valgrind" if by_valgrind else "--heapcheck --memory"
    return f"pytest {engine}-leak-check=exact {shlex.join(relative)}"


def _nodeids(group: Group) -> tuple[str, ...]:
    return tuple(test.nodeid for test in group.tests)


def _names(group: Group) -> str:
    nodeids = [test.nodeid for test in group.tests]
    if len(nodeids) <= _MOST_NAMED:
        return ", ".join(nodeids)
    return f"{nodeids[0]} to {nodeids[-1]}"


def _path(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
