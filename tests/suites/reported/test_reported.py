"""One test for each kind of thing that a report can be about."""

from __future__ import annotations

import os
from collections.abc import Iterator

import defective
import pytest


class Node:
    """What is lost."""


def lose() -> None:
    """Lose a block, by the same stack in each of its callers."""
    defective.leak(51)


@pytest.mark.parametrize("name", ["plain", "<b>&amp;</b>", "two\nlines, 100%: ü"])
def test_same_leak(name: str) -> None:
    assert name
    lose()


def test_object() -> None:
    defective.leak_reference([1000, 1001])


def test_instance() -> None:
    defective.leak_reference(Node())


@pytest.mark.valgrind_known_leak(reason="issue 7")
def test_marked() -> None:
    defective.leak(52)


@pytest.fixture(scope="module")
def losing() -> Iterator[None]:
    """Lose a block in the setup."""
    defective.leak(53)
    yield


def test_fixture(losing: None) -> None:
    assert losing is None


def test_written_after_free() -> None:
    defective.write_after_free()


def test_left_open() -> None:
    os.open(__file__, os.O_RDONLY)


@pytest.mark.limit_memory("1 MB")
def test_too_much() -> None:
    assert len(bytearray(4 << 20)) == 4 << 20


def test_fails() -> None:
    raise AssertionError("by itself")


@pytest.mark.xfail(strict=True)
def test_expected_failure() -> None:
    raise AssertionError("expected")


@pytest.mark.skip(reason="not here")
def test_skipped() -> None:
    raise AssertionError("not here")


def test_clean() -> None:
    assert bytearray(100)
