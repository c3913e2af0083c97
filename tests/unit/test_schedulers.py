"""What pytest-xdist's schedulers do when a worker died, with no worker at all."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("xdist")

from xdist.scheduler import (
    EachScheduling,
    LoadFileScheduling,
    LoadScheduling,
    LoadScopeScheduling,
    WorkStealingScheduling,
)

from pytest_valgrind.workers.schedulers import take_back

TESTS = [f"test_{file}.py::test_{number}" for file in "ab" for number in range(3)]


class Node:
    """A worker as far as schedulers know it."""

    class gateway:  # noqa: N801
        """Its name and kind."""

        id = "gw0"
        spec = "popen"

    def __init__(self) -> None:
        self.shutting_down = False
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        """Take tests."""
        self.sent += indices

    def send_runtest_all(self) -> None:
        """Take all tests."""
        self.sent += range(len(TESTS))

    def shutdown(self) -> None:
        """Take no more."""


def started(pytester: pytest.Pytester, kind: Any, dist: str) -> tuple[Any, Node]:
    """Return a scheduler that has handed out tests to its one worker."""
    config = pytester.parseconfig("--tx=popen", f"--dist={dist}")
    scheduler, node = kind(config), Node()
    begin(scheduler, node)
    return scheduler, node


def begin(scheduler: Any, node: Node) -> None:
    """Have a worker ready for tests."""
    scheduler.add_node(node)
    scheduler.add_node_collection(node, TESTS)
    scheduler.schedule()


KINDS = [
    (LoadScheduling, "load"),
    (LoadScopeScheduling, "loadscope"),
    (LoadFileScheduling, "loadfile"),
    (WorkStealingScheduling, "worksteal"),
    (EachScheduling, "each"),
]


@pytest.mark.parametrize(("kind", "dist"), KINDS)
@pytest.mark.parametrize("begun", [1, 2])
def test_rest_is_handed_out_again(
    pytester: pytest.Pytester, kind: Any, dist: str, begun: int
) -> None:
    """The next worker gets it, without what began, and no test is blamed for the crash."""
    scheduler, node = started(pytester, kind, dist)
    scheduler.mark_test_complete(node, 0)
    node.shutting_down = True
    assert take_back(scheduler, node, set(TESTS[:begun]))
    with pytest.raises(KeyError):
        scheduler.remove_node(node)
    assert not scheduler.tests_finished
    after = Node()
    begin(scheduler, after)
    ran = set()
    while after.sent:
        index = after.sent.pop(0)
        ran.add(TESTS[index])
        scheduler.mark_test_complete(after, index)
    assert ran == set(TESTS[begun:])
    assert scheduler.tests_finished


@pytest.mark.parametrize(("kind", "dist"), KINDS)
def test_worker_without_tests(pytester: pytest.Pytester, kind: Any, dist: str) -> None:
    """There is nothing to take back."""
    scheduler, _ = started(pytester, kind, dist)
    assert take_back(scheduler, Node(), set())


def test_unknown_scheduler() -> None:
    """It is left to itself."""

    class Own:
        nodes = ("node",)

    assert not take_back(Own(), "node", set())
