"""What is said about objects that were lost."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from pytest_valgrind.lines import read_lines
from pytest_valgrind.lost import objects_by_record, record_number, safe_repr, type_name


class Hostile:
    """Raises whatever is done with it."""

    def __repr__(self) -> NoReturn:
        raise AssertionError

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(name)

    def __len__(self) -> NoReturn:
        raise AssertionError

    def __iter__(self) -> Iterator[object]:
        raise AssertionError

    def __hash__(self) -> int:
        return 1


class HostileMeta(type):
    """Has names of its own for its classes."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise AssertionError

    def __repr__(cls) -> NoReturn:
        raise AssertionError


class OfHostileMeta(metaclass=HostileMeta):
    pass


class HostileList(list[int]):
    """Looks like a list, and is none that is safe."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError


class HostileInt(int):
    def __repr__(self) -> NoReturn:
        raise AssertionError


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (1, "1"),
        (10**100, "<int of 333 bits>"),
        (1.5, "1.5"),
        (None, "None"),
        ("a" * 100, f"'{'a' * 60}'..."),
        (b"ab", "b'ab'"),
        ([], "[]"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, ...]"),
        ({"a": [1, [2, 3]]}, "{'a': [1, [...]]}"),
        ((1, ()), "(1, ())"),
        ({1}, "{1}"),
        (len, "<builtin_function_or_method>"),
    ],
)
def test_builtin_types_are_shown(thing: object, expected: str) -> None:
    """In short."""
    assert safe_repr(thing) == expected


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Hostile, "<{}.Hostile>"),
        (lambda: [Hostile()], "[<{}.Hostile>]"),
        (lambda: HostileList([1]), "<{}.HostileList>"),
        (lambda: HostileInt(1), "<{}.HostileInt>"),
        (lambda: OfHostileMeta, "<class {}.OfHostileMeta>"),
        (lambda: Hostile, "<class {}.Hostile>"),
    ],
)
def test_other_types_are_named(make: Callable[[], object], expected: str) -> None:
    """No code of theirs runs."""
    assert safe_repr(make()) == expected.format(__name__)


def test_list_that_holds_itself() -> None:
    """Is not followed for ever."""
    items: list[object] = []
    items.append(items)
    assert safe_repr(items) == "[[[...]]]"


def test_proxy_of_a_dead_object() -> None:
    """Would raise ReferenceError if it were asked for its class."""
    proxy = weakref.proxy(type("Local", (), {})())
    assert safe_repr(proxy) == f"<{type_name(type(proxy))}>"


def test_objects_of_records() -> None:
    """By the number of the loss record, in the order in which they were printed."""
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
    """Only of what is definitely lost."""
    assert record_number(message) == number
