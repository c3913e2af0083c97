"""Functions of CPython 3.10 get no caches while they are called again and again."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from pytest_valgrind.hunt.opcode_caches import decline_opcode_caches

#: By then a function has what it gets.
CALLS = 1100


def make() -> Callable[[], object]:
    """Return a new function that looks up a global."""
    names: dict[str, Callable[[], object]] = {}
    exec("def function(): return len", names)
    return names["function"]


def made_by(function: Callable[[], object]) -> int:
    """Return how many more blocks there are after the calls than before, and numbers of here."""
    function()
    before = sys.getallocatedblocks()
    for _ in range(CALLS):
        function()
    return sys.getallocatedblocks() - before


def least_made(*functions: Callable[[], object]) -> int:
    """Return by how much it is more than for a function of C: the least of several."""
    made_by(int)
    # Other threads may make blocks meanwhile.
    return min(map(made_by, functions)) - min(made_by(int) for _ in functions)


def test_no_cache_is_made() -> None:
    functions = [make() for _ in range(3)]
    decline_opcode_caches(lambda: functions)
    assert least_made(*functions) == 0


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="there are none")
def test_cache_would_be_made() -> None:
    assert least_made(*(make() for _ in range(3))) > 0


def test_function_in_a_function_is_reached() -> None:
    names: dict[str, Callable[[], Callable[[], object]]] = {}
    exec("def outer():\n    def function(): return len\n    return function", names)
    decline_opcode_caches(lambda: [names["outer"]])
    assert least_made(names["outer"]()) == 0
