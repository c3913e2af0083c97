"""Caches that CPython 3.10 makes for a function when it is called for the 1,024th time.

That is a block or two for each function that looks up attributes or globals (``co_opcache``,
Python/ceval.c). A test that runs again and again seems to leak them, as asyncio.run does: some
hundred of its functions get there one after the other. Versions from 3.11 on have such caches in
the bytecode itself, versions before 3.10 are not supported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType

from pytest_valgrind import client

_HAS_THEM = sys.version_info < (3, 11)
# Places in a code object (Include/cpython/code.h of 3.10, with pointers of 8 bytes).
_FILE_NAME, _NAME, _CALLS, _SIZE = 104, 112, 168, 176
#: The cache is made when this number is reached (OPCACHE_MIN_RUNS), and never later.
_ENOUGH = 1024


def decline_opcode_caches(objects: Callable[[], Iterable[object]]) -> None:
    """Have the functions that have no such cache yet never get one; they run a little slower.

    :param objects: returns those among which functions are looked for.
    """
    if _HAS_THEM:
        for code in _codes(objects()):
            if _is_as_expected(code) and client.int_at(code, _CALLS) < _ENOUGH:
                client.set_int_at(code, _CALLS, _ENOUGH)


def _codes(objects: Iterable[object]) -> Iterator[CodeType]:
    """Yield the code of functions, and of those that are made when these run."""
    found = [thing.__code__ for thing in objects if type(thing) is FunctionType]
    seen = set()
    while found:
        code = found.pop()
        if id(code) not in seen:
            seen.add(id(code))
            found += [constant for constant in code.co_consts if type(constant) is CodeType]
            yield code


def _is_as_expected(code: CodeType) -> bool:
    return (
        CodeType.__basicsize__ == _SIZE
        and client.pointer_at(code, _FILE_NAME) == id(code.co_filename)
        and client.pointer_at(code, _NAME) == id(code.co_name)
    )
