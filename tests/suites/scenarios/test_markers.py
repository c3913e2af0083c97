"""What is known about a test."""

from __future__ import annotations

import defective
import pytest


@pytest.mark.valgrind_known_leak(reason="leaks by design")
def test_known_leak() -> None:
    """Known."""
    defective.leak(10)


@pytest.mark.valgrind_known_leak("a reason without its name")
def test_known_leak_with_positional_reason() -> None:
    """Known."""
    defective.leak(10)


@pytest.mark.valgrind_known_error(reason="errs by design")
def test_known_error() -> None:
    """Known."""
    defective.read_past_end()


@pytest.mark.valgrind_known_error(reason="errs by design")
@pytest.mark.valgrind_known_leak(reason="leaks by design")
def test_both_known() -> None:
    """Known."""
    defective.read_past_end()
    defective.leak(10)


@pytest.mark.valgrind_known_leak(reason="leaks by design")
def test_known_leak_but_error() -> None:
    """The error is not known."""
    defective.read_past_end()


@pytest.mark.valgrind_known_error(reason="errs by design")
def test_known_error_but_leak() -> None:
    """The leak is not known."""
    defective.leak(10)


@pytest.mark.valgrind_known_leak(reason="leaks by design")
def test_known_leak_that_does_not_occur() -> None:
    """The marker can go."""


@pytest.mark.valgrind_known_error(reason="errs by design")
def test_known_error_that_is_skipped() -> None:
    """Nobody knows whether the marker can go."""
    pytest.skip("not today")


@pytest.mark.valgrind_skip(reason="too slow")
def test_skipped_under_valgrind() -> None:
    """Never called."""
    raise AssertionError


@pytest.mark.valgrind_known_leak(reason="the whole class leaks")
class TestClass:
    """Marked as a whole."""

    def test_in_marked_class(self) -> None:
        """Known."""
        defective.leak(10)
