"""Items of every kind."""

from __future__ import annotations

import unittest

import defective
import pytest


class TestUnittest(unittest.TestCase):
    """Methods of unittest."""

    def test_unittest_clean(self) -> None:
        """Nothing."""

    def test_unittest_leak(self) -> None:
        """A lost block."""
        defective.leak(10)

    def tearDown(self) -> None:
        """Err after one of them."""
        if self._testMethodName == "test_unittest_error_in_teardown":
            defective.write_after_free()

    def test_unittest_error_in_teardown(self) -> None:
        """Nothing by itself."""


def documented() -> int:
    """Leak in a doctest.

    >>> import defective
    >>> defective.leak(9)
    """
    return 1


@pytest.mark.asyncio
async def test_async_leak() -> None:
    """A coroutine."""
    defective.leak(10)


@pytest.mark.asyncio
async def test_async_clean() -> None:
    """A coroutine."""
