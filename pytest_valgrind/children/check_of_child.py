"""The leak check of a child process, natively: it does it itself, before its interpreter ends."""

from __future__ import annotations

import gc
import sys
from functools import partial

from pytest_valgrind import client
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.heap.live_frames import forget_dead_places
from pytest_valgrind.heap.lost_blocks import explain
from pytest_valgrind.leaks.garbage import Garbage

_PLACE = 0


def report(is_ending: int) -> None:
    """Look for what was lost, and report it; csrc/heap_child_python.c calls this.

    :param is_ending: whether the interpreter would collect garbage now anyway. Where it does not,
        as after ``os._exit``, no finalizer is called for the sake of a check, and lost references
        to containers are not looked for.
    :raises RuntimeError: if the engine is of another release, or the check came to no end.
    """
    engine = Engine()
    client.prepare()
    if is_ending:
        gc.collect()
    pid = engine.start_check(
        _PLACE,
        untracks=bool(is_ending),
        forgets=True,
        prepare=_forget,
        explain=partial(explain, engine, _PLACE),
    )
    client.wait_for_clone(pid)
    if not engine.is_done(_PLACE):
        raise RuntimeError("the check came to no end")
    engine.report_check(_PLACE)


def _forget() -> None:
    """Forget, in the clone, what old objects in free lists and dead places point to."""
    gc.freeze()  # no finalizer is called
    Garbage(freeze=False).empty_free_lists()
    # A fork amid pytest, whose functions hold nothing that the fork has made. Those of others may:
    # whatever has called os._exit has not returned.
    if user_code := sys.modules.get("pytest_valgrind.user_code"):
        forget_dead_places(user_code.runs_tests)
