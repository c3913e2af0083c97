"""What was lost between two leak checks, and by the one before already."""

from __future__ import annotations

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame
from pytest_valgrind.leaks.loss_records import LossRecords


def record(size: int, blocks: int, site: int = 1) -> Finding:
    """Return a loss record of a check."""
    stack = (Frame(site, "allocate"),)
    return Finding(Kind.DEFINITE, "definitely lost", stack, bytes=size, blocks=blocks)


def grown(*checks: list[Finding]) -> list[tuple[int, int]]:
    """Return the bytes and blocks that the last of some checks in clones has found."""
    known = LossRecords()
    for records in checks[:-1]:
        known.grown(records, in_process=False)
    return [(found.bytes, found.blocks) for found in known.grown(checks[-1], in_process=False)]


def test_lost_block_is_new_once() -> None:
    """The next clone prints it again."""
    assert grown([record(8, 1)]) == [(8, 1)]
    assert grown([record(8, 1)], [record(8, 1)]) == []


def test_another_block_of_the_same_stack_is_new() -> None:
    """It has the size by which the record grew."""
    assert grown([record(8, 1)], [record(24, 3)]) == [(16, 2)]


@pytest.mark.parametrize("size", [8, 100])
def test_what_hangs_on_a_lost_block_may_change(size: int) -> None:
    """A lost frame keeps the frames that called it, which go on: that is no other leak."""
    assert grown([record(50, 1)], [record(size, 1)]) == []


def test_records_are_told_apart_by_their_stacks() -> None:
    """Their sizes do not matter."""
    assert grown([record(8, 1)], [record(8, 1), record(8, 1, site=2)]) == [(8, 1)]


def test_look_ahead() -> None:
    """It takes no note of what it has seen."""
    known = LossRecords()
    known.grown([record(8, 1)], in_process=False)
    seen = [record(24, 3), record(8, 1, site=2)]
    assert known.would_grow(seen) == known.would_grow(seen) == known.grown(seen, in_process=False)
    assert known.would_grow(seen) == []
