"""What a check around a call raises: the exceptions of psleak 0.1.6, by name and message."""

from __future__ import annotations

from collections.abc import Collection


class Error(AssertionError):
    """What all of them have in common."""


class UnclosedResourceError(Error):
    """A function has opened something and not closed it, in one call.

    :param count: how many there are.
    :param fun_name: of the function.
    :param extras: what they are, as far as it is known.
    """

    resource_name = "resource"
    verb = "unclosed"

    def __init__(self, count: int, fun_name: str, extras: Collection[object] | None = None) -> None:
        self.count = count
        self.fun_name = fun_name
        self.extras = extras
        names = f"{self.resource_name}{'s' if count > 1 else ''}"
        message = f"detected {count} {self.verb} {names} after calling {fun_name!r} 1 time"
        super().__init__(":".join([message, *_listed(extras)]))


class UnclosedFdError(UnclosedResourceError):
    """A file descriptor is still open."""

    resource_name = "file descriptor"


class UnclosedHandleError(UnclosedResourceError):
    """A handle is still open (Windows)."""

    resource_name = "handle"


class UnclosedHeapCreateError(UnclosedResourceError):
    """A heap is still there (Windows)."""

    resource_name = "HeapCreate() call"


class UnclosedNativeThreadError(UnclosedResourceError):
    """A thread still runs, whoever has started it."""

    resource_name = "native C thread"


class UnclosedPythonThreadError(UnclosedResourceError):
    """A thread still runs that Python knows."""

    resource_name = "Python thread"


class UncollectableGarbageError(UnclosedResourceError):
    """Objects are left that only the garbage collector can free."""

    resource_name = "GC object"
    verb = "uncollectable"


class MemoryLeakError(Error):
    """Memory kept growing."""


for _error in (Error, *Error.__subclasses__(), *UnclosedResourceError.__subclasses__()):
    # As reports name them, and as users import them.
    _error.__module__ = "pytest_valgrind"


def _listed(extras: Collection[object] | None) -> list[str]:
    return ["".join(f"\n* {extra!r}" for extra in extras)] if extras else []
