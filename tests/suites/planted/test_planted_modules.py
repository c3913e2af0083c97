"""Defects in fixtures of a module's scope, which several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import flaws
import pytest


@pytest.fixture(scope="module")
def errs() -> Iterator[None]:
    """Err before the first test that asks for it, and after the last of the module."""
    flaws.read_in_setup_of_module()
    yield
    flaws.read_in_teardown_of_module()


@pytest.fixture(scope="module")
def leaks() -> Iterator[None]:
    """Leak before the first test that asks for it, and after the last of the module."""
    flaws.lose_in_setup_of_module()
    yield
    flaws.lose_in_teardown_of_module()


@pytest.fixture(scope="module")
def keeps() -> Iterator[None]:
    """Lose in the end what was allocated in the beginning."""
    flaws.keep()
    yield
    flaws.lose_kept()


def test_module_clean() -> None:
    """Nothing."""


def test_module_first_to_ask_for_errs(errs: None) -> None:
    """Nothing by itself."""


def test_module_second_to_ask_for_errs(errs: None) -> None:
    """Nothing."""


def test_module_first_to_ask_for_leaks(leaks: None) -> None:
    """Nothing by itself."""


def test_module_second_to_ask_for_leaks(leaks: None) -> None:
    """Nothing."""


def test_module_first_to_ask_for_keeps(keeps: None) -> None:
    """Nothing by itself."""


def test_module_second_to_ask_for_keeps(keeps: None) -> None:
    """Nothing."""


def test_module_last() -> None:
    """Nothing by itself, but the fixtures end after it."""
