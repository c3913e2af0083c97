"""Run a pytest suite under valgrind and see which test corrupts memory or leaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_valgrind.resources.leftovers import LeftoverWarning

__all__ = ["LeftoverWarning", "running_on_valgrind"]

#: Where the names are that are imported when somebody asks for them.
_MODULES = {"LeftoverWarning": "resources.leftovers"}


def running_on_valgrind() -> bool:
    """Whether this process runs under valgrind, whichever of its tools."""
    try:
        from pytest_valgrind import client
    except ImportError:  # installed where valgrind does not exist
        return False
    return client.running_on_valgrind() > 0


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
