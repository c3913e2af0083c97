"""Run a pytest suite under valgrind and see which test corrupts memory or leaks it."""

from __future__ import annotations

__all__ = ["running_on_valgrind"]


def running_on_valgrind() -> bool:
    """Whether this process runs under valgrind, whichever of its tools."""
    try:
        from pytest_valgrind import client
    except ImportError:  # installed where valgrind does not exist
        return False
    return client.running_on_valgrind() > 0
