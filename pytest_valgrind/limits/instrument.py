"""What measures memory for limits: the native engine, or under valgrind memcheck."""

from __future__ import annotations

from typing import Protocol

import pytest

from pytest_valgrind.heap.numbers_of_engine import Usage
from pytest_valgrind.limits.limit_marks import LeakLimit, MemoryLimit
from pytest_valgrind.limits.problem import Problem
from pytest_valgrind.limits.stacks import Allocations


class Watch(Protocol):
    """Looks at what is allocated before and after the call of a test."""

    def begin(self) -> None:
        """Note what there is before the call."""

    def end(self) -> list[Problem]:
        """Return what is wrong after the call."""

    def drop(self) -> None:
        """End what is not needed any more."""


class Instrument(Protocol):
    """Measures the call of a test."""

    def usage(self) -> Usage:
        """Return what is in use."""

    def reset_peaks(self) -> None:
        """Take what is in use now for the most so far: of the process, and of this thread."""

    def begin_test(self) -> None:
        """Have what is made from now on belong to another test."""

    def end_test(self) -> None:
        """Have it belong to none."""

    def watch(self, item: pytest.Item, limit: LeakLimit) -> Watch:
        """Return what sees where a test leaves memory allocated; the test has not begun.

        :raises OSError: if it needs another process, and there cannot be one.
        """

    def allocations_at_peak(
        self, item: pytest.Item, limit: MemoryLimit, used: int
    ) -> list[Allocations]:
        """Return where a test has allocated what it used at most; nothing if that is not known.

        :param used: bytes, at most.
        """
