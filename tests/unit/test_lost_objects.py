"""What is said about objects that were lost."""

from __future__ import annotations

import pytest

from pytest_valgrind.memcheck.block_list import objects_by_record, record_number
from pytest_valgrind.memcheck.log_lines import read_lines


def test_objects_of_records() -> None:
    """They are listed by the number of the loss record, in the order of printing."""
    log = [
        "**7** pytest-valgrind: types in loss record 12: 2 list",
        "**7** pytest-valgrind: in loss record 12: list: []  (1 reference, 56 bytes)",
        "==7== pytest-valgrind: in loss record 13: not from the program",
        "**8** pytest-valgrind: in loss record 14: from another process",
    ]
    (found,) = objects_by_record(read_lines(log, 7)).items()
    assert found[0] == 12
    assert found[1].types == {"list": 2}
    assert found[1].described == ["list: []  (1 reference, 56 bytes)"]


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("56 bytes in 1 blocks are definitely lost in loss record 1,234 of 2,000", 1234),
        (
            "9 (5 direct, 4 indirect) bytes in 1 blocks are definitely lost in loss record 2 of 3",
            2,
        ),
        ("8 bytes in 1 blocks are definitely lost in new loss record 5 of 9", 5),
        ("8 bytes in 1 blocks are possibly lost in loss record 5 of 9", None),
    ],
)
def test_number_of_a_record(message: str, number: int | None) -> None:
    """Only records that are definitely lost have one."""
    assert record_number(message) == number
