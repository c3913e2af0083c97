"""Whether the engine can be trusted here: it plants three things in a clone, and looks for them."""

from __future__ import annotations

import ctypes
import re
import sysconfig
from functools import partial
from gc import freeze  # by name, as conftests replace the functions of the module
from pathlib import Path

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.heap.lost_blocks import explain, findings

# Of a clone among those of the process; no check uses it.
_WHICH = 2
# No test has it.
_PLACE = 0xFFFF0000
# More than there are in a free list, whose blocks are of no test; and how many of them are lost.
_LISTS, _LOST_LISTS = 200, 3
# What create_leak loses, and what is kept.
_LOST, _KEPT = 8, 12345
_ALLOCATORS = re.compile(r"/lib(jemalloc|tcmalloc|mimalloc|asan|tsan|hoard|snmalloc)[^/]*$", re.M)

_kept: list[object] = []


def why_not(engine: Engine) -> str | None:
    """Return why lost memory cannot be seen in this process, as a sentence; None if it can.

    It takes as long as a check.
    """
    if not _counts(engine):
        return (
            f"The engine does not see what is allocated here{_other_allocator()}, so that no leak "
            "can be seen."
        )
    pid = engine.start_check(
        _WHICH,
        untracks=True,
        prepare=partial(_plant, engine),
        explain=partial(explain, engine, _WHICH),
        since=_PLACE,
    )
    client.wait_for_clone(pid)
    if not engine.is_done(_WHICH):
        return "A check in a clone of this process does not come to an end, so that none is done."
    found = findings(engine, _WHICH, CFrames())
    return _complaint([finding for finding in found if _is_planted(finding)])


def is_limited_to_c() -> bool:
    """Whether the interpreter keeps its objects where the engine does not see them."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def _plant(engine: Engine) -> None:
    # All that is there stays as it is: what is planted is all that has to be looked at.
    freeze()
    engine.begin_test(_PLACE)
    client.create_leak()
    lists = [[object()] for _ in range(_LISTS)]
    # 3.10 keeps the frame of a call with its code, and in it what was on its stack: the last list.
    for lost in lists[-_LOST_LISTS:]:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))
    _kept.append(bytearray(_KEPT))
    engine.end_test()


def _is_planted(finding: Finding) -> bool:
    return finding.origin is not None and finding.origin.number == _PLACE


def _complaint(found: list[Finding]) -> str | None:
    if not any(finding.bytes == _LOST for finding in found):
        return "A block that the engine lost itself, to try itself out, was not found."
    if any(finding.bytes >= _KEPT for finding in found):
        return "A block that is in use was taken for lost, so that nothing found is to be trusted."
    if not is_limited_to_c() and not any("list" in finding.types for finding in found):
        return (
            "A list that was lost was not found: Python's objects are not allocated one by one "
            "(PYTHONMALLOC=malloc is not in effect), or something unknown keeps them in sight."
        )
    return None


def _counts(engine: Engine) -> bool:
    """Whether a block from malloc is counted."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    before = engine.counters().allocations
    block = libc.malloc(_KEPT)
    after = engine.counters().allocations
    libc.free(block)
    return after > before


def _other_allocator() -> str:
    """Name another allocator that is loaded, as part of a sentence."""
    found = _ALLOCATORS.search(Path("/proc/self/maps").read_text())
    return f", as {Path(found[0]).name} does it" if found else ""
