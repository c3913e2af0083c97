"""What pytest keeps for each test, and is left out when references are counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_valgrind import client
from pytest_valgrind.hunt.objects_of_pytest import ObjectsOfPytest

parameter: list[object] = []


class Session:
    """Of two tests, one of which has been reported."""

    def __init__(self, item: pytest.Item, *, with_terminal: bool = True) -> None:
        self.report = pytest.TestReport("id", ("", 0, ""), {"key": 1}, "passed", None, "call")
        reporter = SimpleNamespace(stats={"passed": [self.report]}) if with_terminal else None
        manager = SimpleNamespace(get_plugin={"terminalreporter": reporter}.get)
        self.config = SimpleNamespace(pluginmanager=manager)
        self.items = [item]


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Return what is left out, in each call."""
    calls: list[list[Any]] = []
    monkeypatch.setattr(client, "leave_out", lambda objects, _freeze: calls.append(objects))
    return calls


def is_among(thing: object, things: list[object]) -> bool:
    return any(each is thing for each in things)


@pytest.mark.parametrize("of_others", [parameter])
def test_items_and_reports(
    request: pytest.FixtureRequest, left_out: list[list[Any]], of_others: list[object]
) -> None:
    """With what pytest has made for them, and not what a user has given them."""
    session: Any = Session(request.node)
    ObjectsOfPytest(freezes=True).leave_out(session)
    (objects,) = left_out
    assert is_among(request.node, objects)
    assert is_among(request.node.keywords, objects)
    assert is_among(session.report.keywords, objects)
    assert not is_among(of_others, objects)
    assert not is_among(request.node.parent, objects)


def test_now_and_then(request: pytest.FixtureRequest, left_out: list[list[Any]]) -> None:
    """The first time, after fifty tests, and after a quarter of all; sooner if that is needed."""
    session: Any = Session(request.node)
    objects = ObjectsOfPytest(freezes=True)
    counts = []
    for _ in range(400):
        objects.leave_out(session)
        counts.append(len(left_out))
    times = [test for test in range(400) if counts[test] != (counts[test - 1] if test else 0)]
    assert times == [0, 50, 100, 150, 200, 250, 312, 390]
    objects.forget()
    objects.leave_out(session)
    assert len(left_out) == len(times) + 1


def test_worker_without_a_terminal(
    request: pytest.FixtureRequest, left_out: list[list[Any]]
) -> None:
    session: Any = Session(request.node, with_terminal=False)
    ObjectsOfPytest(freezes=True).leave_out(session)
    assert is_among(request.node, left_out[0])


def test_nothing_is_frozen(request: pytest.FixtureRequest, left_out: list[list[Any]]) -> None:
    """Then the objects are listed each time, and in any order."""
    session: Any = Session(request.node)
    ObjectsOfPytest(freezes=False).leave_out(session)
    assert not left_out
