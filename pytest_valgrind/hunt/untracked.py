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

#: What is one object wherever it is used.
SHARED: Sequence[object] = (None, True, False, Ellipsis, NotImplemented, *range(-5, 257))
#: Of the test's module.
_MOST = 10_000
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
    # Most are functions: tests.
    values = [value for value in vars(module).values() if type(value) is not FunctionType]
    owners = (value for value in values if gc.is_tracked(value))
    values += gc.get_referents(
        *(owner for owner in owners if not issubclass(type(owner), _OF_OTHERS))
    )
    seen = set(map(id, SHARED))
    for value in values:
        if not gc.is_tracked(value) and id(value) not in seen:
            seen.add(id(value))
            yield value
