"""The same defect in several tests, each of which is to be told."""

from __future__ import annotations

from collections.abc import Iterator

import flaws
import pytest
from interleaving import Defect, interleaved


@pytest.mark.parametrize("defect", interleaved(*[flaws.read_again] * 3))
def test_error_again(defect: Defect) -> None:
    """An error that valgrind shows once."""
    defect()


@pytest.mark.parametrize("defect", interleaved(*[flaws.lose_again] * 3))
def test_leak_again(defect: Defect) -> None:
    """Leaks of one loss record."""
    defect()


def test_read_in_loop() -> None:
    """An error several times in a test."""
    for _ in range(3):
        flaws.read_in_loop()


def test_clean_after_read_in_loop() -> None:
    """Nothing."""


def test_lose_in_loop() -> None:
    """Several lost blocks in a test."""
    for _ in range(3):
        flaws.lose_in_loop()


def test_clean_after_lose_in_loop() -> None:
    """Nothing."""


@pytest.fixture
def before() -> None:
    """Err and leak before the test."""
    flaws.read_everywhere()
    flaws.lose_everywhere()


@pytest.fixture
def after() -> Iterator[None]:
    """Err and leak after the test."""
    yield
    flaws.read_everywhere()
    flaws.lose_everywhere()


def test_everywhere_setup(before: None) -> None:
    """Nothing by itself."""


def test_clean_after_everywhere_setup() -> None:
    """Nothing."""


def test_everywhere_call() -> None:
    """Err and leak."""
    flaws.read_everywhere()
    flaws.lose_everywhere()


def test_clean_after_everywhere_call() -> None:
    """Nothing."""


def test_everywhere_teardown(after: None) -> None:
    """Nothing by itself."""


def test_clean_after_everywhere_teardown() -> None:
    """Nothing."""
