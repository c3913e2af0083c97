"""Tests whose defects are at lines of Python that ``--memory-pinpoint`` is to find."""

from __future__ import annotations

import re

from suite import Run

TESTS = """\
import os
import pytest
import defective

def lose_copy(items):
    copy = list(items)
    defective.leak_reference(copy)
    return copy

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "file"
    path.write_text("here")
    yield path
    path.unlink()

def test_clean(shared):
    print("printed once")

def test_reference_to_local_variable():
    items = [1, 2, object()]
    defective.leak_reference(items)
    other = [3]
    assert items

def test_reference_in_callee(shared):
    assert shared.exists()
    kept = lose_copy([1, 2])
    assert kept

def test_memory(shared):
    before = 1
    defective.leak(100)
    after = 2

def test_loop():
    for number in range(40):
        if number == 27:
            defective.leak(50)

def test_error():
    values = [1]
    defective.decide_uninitialised()
    assert values

def test_two_errors():
    defective.decide_uninitialised()
    defective.read_past_end()

def test_freed_twice():
    values = [1]
    defective.free_twice()
    assert values

def test_written_after_free():
    defective.write_after_free()

def test_only_the_first_time():
    if "LOST" not in os.environ:
        os.environ["LOST"] = "1"
        defective.leak(30)

@pytest.fixture
def losing():
    yield
    defective.leak(40)

def test_lost_in_teardown(losing):
    pass

def test_still_here(shared):
    assert shared.read_text() == "here"
    with pytest.raises(ChildProcessError):
        os.wait()
"""
#: More of them: each check takes a second under valgrind.
FURTHER = """
def test_two_leaks():
    lists = []
    for number in range(60):
        lists.append([number])
        if number == 20:
            defective.leak_reference(lists)
        if number == 40:
            defective.leak(45)
"""
#: By test: the lines to be found, the most recent call first, as functions and what stands there.
LINES = {
    "test_reference_to_local_variable": [
        ("test_reference_to_local_variable", "leak_reference(items)")
    ],
    "test_reference_in_callee": [
        ("lose_copy", "leak_reference(copy)"),
        ("test_reference_in_callee", "lose_copy([1, 2])"),
    ],
    "test_memory": [("test_memory", "defective.leak(100)")],
    "test_loop": [("test_loop", "defective.leak(50)")],
    "test_freed_twice": [("test_freed_twice", "free_twice()")],
    "test_lost_in_teardown": [("losing", "leak(40)")],
}
LINES_OF_FURTHER = {
    "test_two_leaks": [
        ("test_two_leaks", "leak_reference(lists)"),
        ("test_two_leaks", "defective.leak(45)"),
    ],
}


def places(lines: list[tuple[str, str]]) -> list[str]:
    """Return lines as failures name them."""
    return [f"test_lines.py:{line_of(*line)} in {line[0]}" for line in lines]


def line_of(function: str, text: str) -> int:
    """Return the number of the first line with a text in a function."""
    lines = (TESTS + FURTHER).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"def {function}("))
    return start + 1 + next(n for n, line in enumerate(lines[start:]) if text in line)


def lines_of(run: Run, name: str) -> list[str]:
    """Return the lines of Python in a failure."""
    return re.findall(r"^  > \S*/(test_lines.py:\d+ in .+)$", run[name].text, re.MULTILINE)
