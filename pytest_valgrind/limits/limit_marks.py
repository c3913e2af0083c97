"""The limits of a test, read from its markers."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pytest_valgrind.limits.stacks import Filter
from pytest_valgrind.markers import LIMIT_LEAKS, LIMIT_MEMORY
from pytest_valgrind.memory_size import parse_size


class MemoryLimit(NamedTuple):
    """The most that a test may use at a time."""

    bytes: float
    #: Whether only blocks of the thread count in which the test runs.
    current_thread_only: bool = False


class LeakLimit(NamedTuple):
    """The most that a test may leave allocated, by the place where that was done."""

    bytes: float
    filter_fn: Filter | None = None
    current_thread_only: bool = False


class Limits(NamedTuple):
    """All limits of a test."""

    memory: MemoryLimit | None
    leaks: LeakLimit | None

    def times(self, factor: float) -> Limits:
        """Return limits that are so many times as large."""
        memory, leaks = self
        return Limits(
            memory and memory._replace(bytes=memory.bytes * factor),
            leaks and leaks._replace(bytes=leaks.bytes * factor),
        )


def limits_of(item: pytest.Item, default: float | None) -> Limits | None:
    """Return the limits of a test, None if it has none.

    :param default: bytes that a test may use which has no limit of its own, None for any.
    :raises pytest.UsageError: if a marker makes no sense.
    """
    memory_mark = item.get_closest_marker(LIMIT_MEMORY)
    leaks_mark = item.get_closest_marker(LIMIT_LEAKS)
    if memory_mark is None and leaks_mark is None and default is None:
        return None
    memory = None if default is None else MemoryLimit(default)
    leaks = None
    try:
        if memory_mark is not None:
            memory = limit_memory(*memory_mark.args, **memory_mark.kwargs)
        if leaks_mark is not None:
            leaks = limit_leaks(*leaks_mark.args, **leaks_mark.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}.") from None
    return Limits(memory, leaks)


def limit_memory(limit: str, *, current_thread_only: bool = False) -> MemoryLimit:
    """Return the limit that a marker means with these arguments.

    :raises ValueError: if it is no size.
    """
    return MemoryLimit(_size(limit), current_thread_only)


def limit_leaks(
    location_limit: str, *, filter_fn: Filter | None = None, current_thread_only: bool = False
) -> LeakLimit:
    """Return the limit that a marker means with these arguments.

    :raises ValueError: if it is no size.
    :raises TypeError: if the filter is no function.
    """
    if not (filter_fn is None or callable(filter_fn)):
        raise TypeError(f"limit_leaks() takes a function as filter_fn, not {filter_fn!r}")
    return LeakLimit(_size(location_limit), filter_fn, current_thread_only)


def _size(limit: object) -> float:
    if not isinstance(limit, str):
        raise ValueError(f"Invalid memory size format: {limit!r}")
    return parse_size(limit)
