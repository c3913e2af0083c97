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
#: By type, as far as any was asked for. It grows while things are looked at.
known: dict[type, Callable[[Any], int] | None] = {}


def size_of(thing: object) -> int | None:
    """Return the size, None if the type is none that grows, or a stream is closed."""
    kind = type(thing)
    if kind not in known:
        bases = (base for base in _SIZES if base in kind.__mro__)
        known[kind] = next(map(_SIZES.__getitem__, bases), None)
    size = known[kind]
    try:
        return None if size is None else size(thing)
    except ValueError:
        return None
