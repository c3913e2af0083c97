"""What one call has opened or started, and not closed or ended."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pytest_valgrind.around_call.checkers import Checkers
from pytest_valgrind.around_call.errors import (
    UnclosedFdError,
    UnclosedNativeThreadError,
    UnclosedPythonThreadError,
    UnclosedResourceError,
)
from pytest_valgrind.resources.descriptors import Descriptors
from pytest_valgrind.resources.openings import Openings
from pytest_valgrind.resources.threads import AllThreads, Threads

# Frames of these functions are not shown where a check fails.
__tracebackhide__ = True


class OpenDescriptor(NamedTuple):
    """A descriptor that was left open."""

    fd: int
    path: str  #: empty if it is open on no file
    words: str

    def __repr__(self) -> str:
        return self.words


@contextmanager
def nothing_opened(name: str, checkers: Checkers, log: Callable[[str], object]) -> Iterator[None]:
    """Compare what there is before and after the body.

    :param name: of the function, for the message.
    :param log: takes what is odd, and no error.
    :raises UnclosedResourceError: if there is more.
    """
    openings = Openings()
    kinds: list[tuple[str, Any, type[UnclosedResourceError]]] = []
    if checkers.py_threads:
        kinds.append(("py_threads", Threads(), UnclosedPythonThreadError))
    if checkers.fds and os.name == "posix":
        kinds.append(("num_fds", Descriptors(openings), UnclosedFdError))
    if checkers.c_threads and sys.platform == "linux":
        kinds.append(("c_threads", AllThreads(), UnclosedNativeThreadError))
    before = [kind.read() for _, kind, _ in kinds]
    openings.listen()
    try:
        yield
    finally:
        openings.stop()
    for (metric, kind, error), was in zip(kinds, before, strict=True):
        now = kind.read()
        if new := kind.settled(now - was):
            raise error(len(new), name, {_extra(kind, thing, openings) for thing in new})
        if fewer := len(was) - len(now):
            log(f"WARNING: {metric!r} decreased by {fewer} after calling {name!r} once")


def _extra(kind: Any, thing: Any, openings: Openings) -> object:
    if isinstance(thing, threading.Thread):
        return thing
    stack = kind.where(thing, openings.noted)
    words = kind.describe(thing) + (f", opened in {stack[0].in_short}" if stack else "")
    if isinstance(kind, Descriptors):
        return OpenDescriptor(thing.fd, kind.path(thing), words)
    return words
