"""Run a pytest suite under valgrind and see which test corrupts memory or leaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_valgrind.around_call.case import LeakTest, MemoryLeakTestCase
    from pytest_valgrind.around_call.checkers import Checkers
    from pytest_valgrind.around_call.errors import (
        Error,
        MemoryLeakError,
        UnclosedFdError,
        UnclosedHandleError,
        UnclosedHeapCreateError,
        UnclosedNativeThreadError,
        UnclosedPythonThreadError,
        UnclosedResourceError,
        UncollectableGarbageError,
    )
    from pytest_valgrind.around_call.memory_check import MemoryCheck
    from pytest_valgrind.resources.leftovers import LeftoverWarning

__all__ = [
    "Checkers",
    "Error",
    "LeakTest",
    "LeftoverWarning",
    "MemoryCheck",
    "MemoryLeakError",
    "MemoryLeakTestCase",
    "UnclosedFdError",
    "UnclosedHandleError",
    "UnclosedHeapCreateError",
    "UnclosedNativeThreadError",
    "UnclosedPythonThreadError",
    "UnclosedResourceError",
    "UncollectableGarbageError",
    "running_on_valgrind",
]

#: Modules from which a name is imported when somebody asks for it, and their names.
_NAMES = {
    "around_call.case": ("LeakTest", "MemoryLeakTestCase"),
    "around_call.checkers": ("Checkers",),
    "around_call.errors": (
        *("Error", "MemoryLeakError", "UncollectableGarbageError", "UnclosedFdError"),
        *("UnclosedHandleError", "UnclosedHeapCreateError", "UnclosedNativeThreadError"),
        *("UnclosedPythonThreadError", "UnclosedResourceError"),
    ),
    "around_call.memory_check": ("MemoryCheck",),
    "resources.leftovers": ("LeftoverWarning",),
}


def running_on_valgrind() -> bool:
    """Whether this process runs under valgrind, whichever of its tools."""
    try:
        from pytest_valgrind import client
    except ImportError:  # installed where valgrind does not exist
        return False
    return client.running_on_valgrind() > 0


def __getattr__(name: str) -> object:
    for module, names in _NAMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
