"""How much a container or a buffer of a built-in type holds: items, or bytes."""

from __future__ import annotations

import io
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

# Of the built-in type itself, as a subclass may do anything when it is asked for its length. A
# subclass stands before its base.
_SIZES: dict[type, Callable[[Any], int]] = {
    OrderedDict: OrderedDict.__len__,
    dict: dict.__len__,
    list: list.__len__,
    set: set.__len__,
    deque: deque.__len__,
    array: array.__len__,
    bytearray: bytearray.__len__,
    # The position, as the text is seen only by copying it.
    io.StringIO: io.StringIO.tell,
    io.BytesIO: io.BytesIO.tell,
}
#: By type, as far as any was asked for, and the types that have none. They grow while things are
#: looked at, and have only one reference to each type, as references are counted.
known: dict[type, Callable[[Any], int]] = {}
without: set[type] = set()


def size_of(thing: object) -> int | None:
    """Return the size, None if the type is none that grows, or a stream is closed."""
    kind = type(thing)
    if kind in without:
        return None
    if kind not in known:
        base = next((base for base in _SIZES if base in kind.__mro__), None)
        if base is None:
            without.add(kind)
            return None
        known[kind] = _SIZES[base]
    try:
        return known[kind](thing)
    except ValueError:
        return None
