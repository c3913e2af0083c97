"""Caches of the standard library, emptied before counting: what fills them is no leak.

Those that CPython's own hunt for leaks empties (Lib/test/libregrtest/refleak.py), as far as a
module has been imported. The cache of ctypes is not among them, as emptying it makes new types.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

#: By module: functions that take no argument.
_CLEARED = {
    "re": ("purge",),
    "linecache": ("clearcache",),
    "urllib.parse": ("clear_cache",),
    "struct": ("_clearcache",),
}
#: By module: dictionaries.
_EMPTIED = {"_strptime": ("_regex_cache",), "filecmp": ("_cache",)}


def clear_caches() -> None:
    """Empty the caches."""
    for name, functions in _CLEARED.items():
        for function in functions:
            _of(name, function)()
    for name, dictionaries in _EMPTIED.items():
        for dictionary in dictionaries:
            _of(name, dictionary, "clear")()
    for clear in getattr(sys.modules.get("typing"), "_cleanups", ()):
        clear()
    # From 3.13 on under another name, the first being deprecated.
    clear_types = getattr(sys, "_clear_internal_caches", None)
    if clear_types is None:
        clear_types = sys._clear_type_cache
    clear_types()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        # What is buffered is memory; a test may have closed it.
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]


def _of(module: str, *attributes: str) -> Callable[[], object]:
    """Return a function, one that does nothing if the module was not imported or has none."""
    found: object = sys.modules.get(module)
    for attribute in attributes:
        found = getattr(found, attribute, None)
    return found if callable(found) else _nothing


def _nothing() -> None:
    pass


def warm_caches() -> None:
    """Have the interpreter make what it makes once: small integers, and strings of one letter."""
    for code in range(256):
        chr(code)
        bytes([code])
    list(range(-5, 257))
