"""Tests with markers of what is known."""

from __future__ import annotations

import defective
import pytest


@pytest.mark.valgrind_known_leak(reason="by design")
def test_known_leak() -> None:
    """Lose a block."""
    defective.leak(81)


@pytest.mark.valgrind_known_leak
def test_known_leak_that_is_none() -> None:
    """Nothing."""


@pytest.mark.valgrind_known_error(reason="harmless")
def test_known_error() -> None:
    """Write into a freed block."""
    defective.write_after_free()


@pytest.mark.valgrind_known_error
def test_known_error_and_a_leak() -> None:
    """Do one thing that is known and one that is not."""
    defective.write_after_free()
    defective.leak(82)


@pytest.mark.valgrind_known_leak
def test_known_leak_and_an_error() -> None:
    """Do one thing that is known and one that is not."""
    defective.free_twice()
    defective.leak(83)
