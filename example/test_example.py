"""Nine tests, of which valgrind has something to say about six.

The same as in pytest-valgrind 0.x. Run them with ``pytest --valgrind`` here, or with the command
line of 0.x:

    PYTHONMALLOC=malloc valgrind --show-leak-kinds=definite --log-file=/tmp/valgrind-output \\
        python -m pytest -vv --valgrind --valgrind-log=/tmp/valgrind-output
"""

from __future__ import annotations

import pytest

from pytest_valgrind.valgrind import access_invalid, create_leak


def test_all_good() -> None:
    """Nothing to see here."""


def test_fails_but_valgrind_good() -> None:
    """Fail in the ordinary way: an expected failure, as only memory matters here."""
    assert 0


def test_valgrind_error() -> None:
    """Decide upon an uninitialised value in C."""
    access_invalid()


def test_valgrind_leak() -> None:
    """Lose a block of memory in C."""
    create_leak()


def test_valgrind_error_and_leak() -> None:
    """Do both."""
    access_invalid()
    create_leak()


@pytest.mark.valgrind_known_leak(reason="Leaks intentionally")
def test_valgrind_leak_ignored() -> None:
    """Lose a block, which is known."""
    create_leak()


@pytest.mark.valgrind_known_error(reason="Errors intentionally")
def test_valgrind_error_ignored() -> None:
    """Decide upon an uninitialised value, which is known."""
    access_invalid()


@pytest.mark.valgrind_known_leak(reason="Leaks intentionally")
def test_valgrind_leak_ignored_but_errors_as_well() -> None:
    """Do both, where only one is known."""
    create_leak()
    access_invalid()


def test_another_good_test() -> None:
    """Be clean after all that: what was lost before is not found again."""
