"""The limits of a test, read from its markers."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_valgrind.limits.limit_marks import LeakLimit, Limits, MemoryLimit, limits_of
from pytest_valgrind.limits.stacks import Allocations, Stack, StackFrame, merged, shown
from pytest_valgrind.markers import have_limits

MB = 1 << 20
HELD = StackFrame("hold", "/project/test_a.py", 7)
CALL = StackFrame("test_a", "/project/test_a.py", 9)


class Node:
    """A test, and what it is in: as far as markers go."""

    nodeid = "test_a.py::test_a"

    def __init__(self, *marks: pytest.MarkDecorator, parent: Node | None = None) -> None:
        self.own_markers = [mark.mark for mark in marks]
        self.parent = parent

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        node: Node | None = self
        while node is not None:
            for mark in node.own_markers:
                if mark.name == name:
                    return mark
            node = node.parent
        return None


def limits(*marks: pytest.MarkDecorator, default: float | None = None) -> Limits | None:
    node: Any = Node(*marks)
    return limits_of(node, default)


def test_limit_of_memory() -> None:
    """It is of the process, or of the thread that runs the test."""
    assert limits(pytest.mark.limit_memory("24 MB")) == (MemoryLimit(24 * MB), None)
    of_thread = pytest.mark.limit_memory("1 KB", current_thread_only=True)
    assert limits(of_thread) == (MemoryLimit(1024, True), None)


def test_limit_of_leaks() -> None:
    """It may have a filter."""
    mark = pytest.mark.limit_leaks("1 MB", filter_fn=bool)
    assert limits(mark) == (None, LeakLimit(MB, bool))


def test_limits_of_both_kinds() -> None:
    """A test may have both."""
    found = limits(pytest.mark.limit_leaks("1 MB"), pytest.mark.limit_memory("2 MB"))
    assert found == (MemoryLimit(2 * MB), LeakLimit(MB))


def test_default_is_for_tests_without_a_limit() -> None:
    """A marker has the last word."""
    assert limits(default=5) == (MemoryLimit(5), None)
    assert limits(pytest.mark.limit_leaks("1 B"), default=5) == (MemoryLimit(5), LeakLimit(1))
    assert limits(pytest.mark.limit_memory("9 B"), default=5) == (MemoryLimit(9), None)
    assert limits() is None


def test_limits_can_be_larger() -> None:
    """As under valgrind, by a factor."""
    found = limits(pytest.mark.limit_leaks("1 MB"), pytest.mark.limit_memory("2 MB"))
    assert found and found.times(1.5) == (MemoryLimit(3 * MB), LeakLimit(1.5 * MB))
    assert Limits(None, LeakLimit(1)).times(2) == (None, LeakLimit(2))


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (pytest.mark.limit_memory("24 parsecs"), "Invalid memory size format: 24 parsecs"),
        (pytest.mark.limit_memory(24), "Invalid memory size format: 24"),
        (pytest.mark.limit_memory(), "missing 1 required positional argument: 'limit'"),
        (pytest.mark.limit_memory("1 B", "2 B"), "takes 1 positional argument"),
        (pytest.mark.limit_leaks("1 B", filter=bool), "unexpected keyword argument 'filter'"),
        (pytest.mark.limit_leaks("1 B", filter_fn="x"), "takes a function as filter_fn, not 'x'"),
    ],
    ids=str,
)
def test_bad_limit_names_its_test(mark: pytest.MarkDecorator, words: str) -> None:
    """It is a mistake in the use of pytest."""
    with pytest.raises(pytest.UsageError) as raised:
        limits(mark)
    assert str(raised.value).startswith("test_a.py::test_a: ")
    assert words in str(raised.value)


def test_limits_are_seen_wherever_they_are() -> None:
    """On a test, or on what it is in."""
    module = Node(pytest.mark.limit_memory("1 B"))
    inside: Any = [Node(), Node(parent=Node(parent=module))]
    outside: Any = [Node(pytest.mark.skip()), Node(parent=Node())]
    assert have_limits(inside)
    assert not have_limits(outside)


def test_stacks_in_words() -> None:
    """The largest first, in the form that pytest-memray has."""
    found = [Allocations(1024, Stack((CALL,))), Allocations(3 * MB, Stack((HELD, CALL)))]
    assert list(shown([*found, Allocations(MB, Stack((CALL,)))])) == [
        "    - 3.0MiB allocated here:",
        "        hold:/project/test_a.py:7",
        "        test_a:/project/test_a.py:9",
        "    - 1.0MiB allocated here:",
        "        test_a:/project/test_a.py:9",
    ]


def test_deep_stack_is_cut() -> None:
    """Five frames are shown."""
    lines = list(shown([Allocations(8, Stack((HELD,) * 6))]))
    assert lines[-1] == "        ..." and len(lines) == 7


def test_one_stack_is_there_once() -> None:
    """Whoever in the interpreter has asked for the memory."""
    found = [Allocations(1, Stack((CALL,))), Allocations(2, Stack((CALL,)))]
    assert merged(found) == [Allocations(3, Stack((CALL,)))]
