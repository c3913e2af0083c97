"""Objects that a call leaves to the garbage collector: those in cycles."""

from __future__ import annotations

import gc
import threading
from types import FrameType, TracebackType

# In cycles for a moment only.
_TRANSIENT = (FrameType, TracebackType, threading.Thread, BaseException)
_SCALARS = (int, float, bool, str, bytes, bytearray, complex, type(None))
_CONTAINERS = (list, tuple, set, frozenset)


class CyclicGarbage:
    """Collects below ``with``, and has every object kept that only a collection would free.

    :ivar found: these objects, but for frames, exceptions, threads and what holds nothing else.
    """

    def __init__(self) -> None:
        self.found: list[object] = []
        self._flags = 0

    def __enter__(self) -> CyclicGarbage:
        gc.collect()
        self._flags = gc.get_debug()
        gc.set_debug(gc.DEBUG_SAVEALL)
        # Whatever is in it was there before.
        gc.garbage.clear()
        return self

    def __exit__(self, *_exception: object) -> None:
        gc.collect()
        self.found = [thing for thing in gc.garbage if not is_transient(thing)]
        gc.garbage.clear()
        gc.set_debug(self._flags)


def is_transient(thing: object) -> bool:
    """Whether an object is in a cycle for a moment only, or holds nothing but such objects."""
    seen: set[int] = set()
    waiting = [thing]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _TRANSIENT + _SCALARS):
            continue
        seen.add(id(each))
        if isinstance(each, _CONTAINERS):
            waiting.extend(each)
        elif isinstance(each, dict):
            waiting.extend([*each.keys(), *each.values()])
        else:
            return False
    return True
