"""References to objects while a test runs: from local variables, and from unknown places."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections import Counter
from collections.abc import Sequence
from types import FrameType

from pytest_valgrind import client
from pytest_valgrind.heap.live_frames import forget_dead_places
from pytest_valgrind.objects.type_facts import type_name

#: Bytes: enough for a reference count and a type.
_SIZE_OF_HEAD = 16


def drop_locals(frames: Sequence[FrameType], dropped: Counter[int]) -> None:
    """Set the local variables of functions to None, in the clone, so that they hide nothing.

    The objects keep the references: no code of theirs runs.

    :param dropped: counts them by the complements of the objects' addresses: the hash of an
        address, in the counter's table, would pass for a pointer.
    """
    fast = getattr(ctypes.pythonapi, "PyFrame_LocalsToFast", None)
    for frame in frames:
        values = frame.f_locals
        if values is frame.f_globals:
            continue
        for name in list(values):
            value = values[name]
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
            dropped[~id(value)] += 1
            values[name] = None
            del value
        if fast is not None and sys.version_info < (3, 13):
            fast(ctypes.py_object(frame), ctypes.c_int(0))
    forget_dead_places()


def unknown_references(frames: Sequence[FrameType], types: frozenset[str]) -> dict[str, bool]:
    """Return whether objects that the test has made have references of which nobody knows.

    A stale pointer in the frame that used such an object last hides it from a leak check.

    :return: by their addresses, in hexadecimal.
    """
    slots: Counter[int] = Counter()
    for frame in frames:
        for value in frame.f_locals.values():
            if type_name(type(value)) in types:
                slots[id(value)] += 1
            del value
    for thing in gc.get_objects():
        if type_name(type(thing)) in types:
            slots[id(thing)] += 0
    del thing
    found = {}
    for address, count in slots.items():
        counted = client.object_in(address, _SIZE_OF_HEAD)
        if counted is None:
            continue
        references, thing = counted
        found[f"{address:x}"] = references > count + _references_known(thing, without=counted)
    return found


def _references_known(thing: object, without: object) -> int:
    """Return how many references to a thing the collector knows."""
    # No comprehension, in which the thing would have one more; and in a function of its own, whose
    # variables hold nothing when the references to the next thing are counted.
    known = 0
    for referrer in gc.get_referrers(thing):
        if referrer is not without:
            for referent in gc.get_referents(referrer):
                known += referent is thing
    return known
