"""What Python's standard library keeps open and running for the life of the process."""

from __future__ import annotations

import sys
from collections.abc import Iterator

# By module and attributes.
_DESCRIPTORS = (
    ("multiprocessing.resource_tracker", "_resource_tracker", "_fd"),
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_alive_fd"),
)
_PROCESSES = (
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
)


def kept_descriptors() -> frozenset[int]:
    """Return the numbers of file descriptors."""
    return frozenset(_values(_DESCRIPTORS))


def kept_processes() -> frozenset[int]:
    """Return the ids of child processes."""
    return frozenset(_values(_PROCESSES))


def _values(places: tuple[tuple[str, ...], ...]) -> Iterator[int]:
    for module, *attributes in places:
        value: object = sys.modules.get(module)
        for attribute in attributes:
            value = getattr(value, attribute, None)
        if isinstance(value, int):
            yield value
