"""Whether the native engine can be trusted in a process."""

from __future__ import annotations

from heap_process import run

SOURCE = """
from pytest_valgrind.heap.self_check import why_not
print(json.dumps(why_not(engine)))
"""


def test_nothing_is_wrong_with_one_block_for_each_object() -> None:
    assert run(SOURCE) is None


def test_objects_in_arenas_are_not_seen() -> None:
    assert "PYTHONMALLOC=malloc is not in effect" in run(SOURCE, PYTHONMALLOC="pymalloc")
