"""Stacks of allocations, as a ``filter_fn`` of the marker limit_leaks gets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.heap.c_places import with_places
from pytest_valgrind.memory_size import format_size

_TELLING = (Owner.EXTENSION, Owner.LIBRARY, Owner.LIBC)
#: Frames that are shown.
_MOST_FRAMES = 5
#: Stacks that are shown, and what part of all they must be.
_MOST_STACKS = 10
_LEAST_PART = 0.01


class StackFrame(NamedTuple):
    """One frame, by the names that pytest-memray has."""

    function: str  #: "???" if it is not known
    filename: str  #: "???" if it is not known; of C, the object file if the source is not known
    lineno: int  #: 0 if it is not known


class Stack(NamedTuple):
    """The C function that asked for the memory, and the Python functions above it."""

    #: The most recent call first.
    frames: tuple[StackFrame, ...]


#: Whether memory from a stack counts.
Filter = Callable[[Stack], bool]


class Allocations(NamedTuple):
    """What was allocated at one place."""

    size: int  #: bytes
    stack: Stack


def described(frames: Sequence[Frame]) -> list[list[StackFrame]]:
    """Return C frames with their files and lines, those that were inlined there first.

    Frames of the interpreter say nothing, as Python's lines follow.
    """
    wanted = {n: frame for n, frame in enumerate(frames) if frame.owner in _TELLING}
    found: list[list[StackFrame]] = [[] for _ in frames]
    for number, places in zip(wanted, with_places([*wanted.values()]), strict=True):
        found[number] = [
            StackFrame(frame.function, frame.path or frame.object or "???", frame.line or 0)
            for frame in places
        ]
    return found


def merged(found: Iterable[Allocations]) -> list[Allocations]:
    """Return what was allocated by stack, of which each is there once."""
    sizes: Counter[Stack] = Counter()
    for size, stack in found:
        sizes[stack] += size
    return [Allocations(size, stack) for stack, size in sizes.items()]


def shown(found: Iterable[Allocations]) -> Iterator[str]:
    """Return, as lines, where most was allocated, in pytest-memray's form."""
    found = [each for each in found if each.stack.frames]
    least = sum(each.size for each in found) * _LEAST_PART
    by_size = sorted(
        (each for each in found if each.size >= least), key=lambda each: each.size, reverse=True
    )
    for size, stack in by_size[:_MOST_STACKS]:
        yield f"    - {format_size(size)} allocated here:"
        for frame in stack.frames[:_MOST_FRAMES]:
            yield f"        {frame.function}:{frame.filename}:{frame.lineno}"
        if len(stack.frames) > _MOST_FRAMES:
            yield "        ..."
    if (more := len(by_size) - _MOST_STACKS) > 0:
        yield f"    ...and {more} more"
