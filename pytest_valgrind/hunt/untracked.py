"""Objects that the garbage collector does not know, and to which C code loses references as well.

There are too many of them to count the references to all: each string of each module. These are
those that lost references are seen of: None and its like, small integers, which are shared, and
what the variables of the test's module hold.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from types import BuiltinFunctionType, FunctionType, ModuleType

from pytest_valgrind.hunt.sizes import size_of

#: What is one object wherever it is used.
CONSTANTS: Sequence[object] = (None, True, False, Ellipsis, NotImplemented)
INTEGERS: Sequence[int] = range(-5, 257)
SHARED: Sequence[object] = (*CONSTANTS, *INTEGERS)
#: Of the test's module, and of a container that is not looked into.
_MOST = 10_000
_LARGE = 1000
_OF_OTHERS = (ModuleType, BuiltinFunctionType, type)


class Untracked:
    """Counts the references to such objects."""

    def __init__(self) -> None:
        self._objects: list[object] = list(SHARED)

    def watch(self, module: ModuleType | None) -> None:
        """Count those to the strings, numbers and the like that a module has from now on.

        :param module: in place of the last one; None for no more than the shared objects.
        """
        self._objects[len(SHARED) :] = [] if module is None else list(_of_module(module))[:_MOST]

    def references(self) -> int:
        """Return how many references there are."""
        return sum(map(sys.getrefcount, self._objects))


def _of_module(module: ModuleType) -> Iterator[object]:
    """Yield what its variables, and the containers and instances among them, refer to."""
    values = [
        value
        for name, value in vars(module).items()
        # Most are functions: tests.
        if type(value) is not FunctionType and not name.startswith("__")
    ]
    values += gc.get_referents(*filter(_is_looked_into, values))
    seen = set(map(id, SHARED))
    for value in values:
        if not gc.is_tracked(value) and id(value) not in seen:
            seen.add(id(value))
            yield value


def _is_looked_into(value: object) -> bool:
    """Whether it may have such objects: all that is large would take too long for each test."""
    return not issubclass(type(value), _OF_OTHERS) and (size_of(value) or 0) <= _LARGE
