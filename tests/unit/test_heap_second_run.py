"""Second runs of tests: whose answer is whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.heap.second_run import SecondRuns, Seen
from pytest_valgrind.items.item_run import HUNG, ItemRun

LEAK = Finding(Kind.DEFINITE, "lost", types={"dict": 1})


class Played(SecondRuns):
    """In its forks, only tests of some names lose a dict."""

    def __init__(self, *losing: str) -> None:
        super().__init__(cast(Engine, None), lambda *_: None, lambda: 0, seconds=30.0)
        self._losing = losing
        self.forks: list[list[str]] = []

    def _run(self, tests: Sequence[ItemRun], *_: Any, **__: Any) -> list[list[Seen]]:
        self.forks.append([test.nodeid for test in tests])
        return [
            [
                Seen(0, {"dict": 1}, [["t.py", number, test.nodeid]], number)
                for number, test in enumerate(tests)
                if test.nodeid in self._losing
            ]
        ]


def ran(nodeid: str, place: int) -> ItemRun:
    return ItemRun(cast(pytest.Item, None), nodeid, place)


def test_one_fork_answers_for_all_tests_of_a_group() -> None:
    """The last runs first, so that none loses what one before it in the group has made."""
    runs, (first, second) = Played("a", "b"), (ran("a", 0), ran("b", 1))
    runs.run_at_once([(first, [LEAK]), (second, [LEAK])])
    for test in (first, second):
        (found,) = runs.settled(test, [LEAK])
        assert found.stack[-1].function == test.nodeid
    assert runs.forks == [["b", "b", "a", "a"]]


def test_what_the_common_fork_does_not_show_is_looked_for_alone() -> None:
    runs, (first, second) = Played("a"), (ran("a", 0), ran("b", 1))
    runs.run_at_once([(first, [LEAK]), (second, [LEAK])])
    runs.settled(second, [LEAK])
    assert runs.forks[1:] == [["b", "b"]]


def test_a_test_of_an_earlier_group_is_no_test_of_this_one() -> None:
    """It has no place any more, and so the same as the first of all tests."""
    runs = Played("a", "b")
    runs.run_at_once([(ran("a", 0), [LEAK]), (ran("b", 1), [LEAK])])
    assert runs.lost_again(ran("earlier", 0), [LEAK]) == [None]
    assert runs.forks[1:] == [["earlier", "earlier"]]


def test_a_test_that_hung_does_not_run_again() -> None:
    """It would hang once more, for as long as a second run may take."""
    runs, (hung, other) = Played("a", "b"), (ran("a", 0), ran("b", 1))
    hung.findings = [LEAK, Finding(Kind.TIMEOUT, "timeout")]
    runs.run_at_once([(hung, [LEAK]), (other, [LEAK])])
    (leak, timeout) = runs.settled(hung, hung.findings)
    assert leak.python_note == HUNG
    assert not timeout.python_note
    assert runs.lost_again(hung, [LEAK]) == [None]
    assert runs.forks == []


def test_a_test_that_hung_is_not_asked_who_lost_what_another_made() -> None:
    runs, (maker, hung, other) = Played("a"), (ran("maker", 0), ran("hung", 1), ran("a", 2))
    hung.findings = [Finding(Kind.TIMEOUT, "timeout")]
    maker.suspects = [hung, other]
    runs.settled(maker, [LEAK])
    assert runs.forks[1:] == [["maker", "a"]]
