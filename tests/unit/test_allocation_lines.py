"""Which lines have numbers when a test runs once more."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator

import _pytest
import pytest

from pytest_valgrind.heap.allocation_lines import AllocationLines

FIRST = 100


class Numbers:
    """Notes the numbers that it is given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def begin_test(self, place: int) -> None:
        self.given.append(place)

    def end_test(self) -> None:
        pass


@pytest.fixture
def call_as_pytest() -> Callable[[Callable[[], object]], object]:
    """Return a function that calls another, and is in a file of pytest."""
    file = pathlib.Path(_pytest.__file__).with_name("runner.py")
    names: dict[str, Callable[[Callable[[], object]], object]] = {}
    exec(compile("def call(function): return function()", str(file), "exec"), names)
    return names["call"]


@pytest.fixture
def lines() -> Iterator[AllocationLines]:
    """Return numbers that no test goes on with."""
    numbered = AllocationLines(Numbers(), FIRST)
    yield numbered
    numbered.stop()


def test_line_below_pytest_has_a_number(
    lines: AllocationLines, call_as_pytest: Callable[[Callable[[], object]], object]
) -> None:
    def function() -> object:
        return json.loads("[1]")

    lines.start()
    call_as_pytest(function)
    lines.stop()
    functions = [line.function for line in lines.stack(FIRST + lines.count - 1)]
    assert functions[-1].endswith("function")
    assert "loads" in functions


def test_library_that_pytest_calls_itself_has_none(
    lines: AllocationLines, call_as_pytest: Callable[[Callable[[], object]], object]
) -> None:
    """It walks the syntax tree of whole files where a test fails: that took minutes."""
    lines.start()
    call_as_pytest(json.JSONDecoder)
    lines.stop()
    assert lines.count == 1
