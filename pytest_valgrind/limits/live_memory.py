"""What a test has allocated and not freed, by the place that asked for it."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from pytest_valgrind.fork import forked, wait
from pytest_valgrind.heap.engine import Engine

_TASKS = Path("/proc/self/task")
#: Seconds that a fork may take to look at all blocks.
_PATIENCE = 60.0

#: Bytes by the number of a test, and by the address at which the function goes on that asked.
Sizes = Counter[tuple[int, int]]
NOTHING: Sizes = Counter()


def live_sizes(engine: Engine, first: int, last: int, *, of_one_thread: bool) -> Sizes:
    """Return what tests have allocated and not freed: blocks, and anonymous mappings.

    :param first: the place of the first of these tests, and ``last`` of the last.
    :param of_one_thread: whether what threads made is left out that were started by tests.
    """
    look = partial(_look, engine, first, last, of_one_thread)
    if len(os.listdir(_TASKS)) == 1:  # noqa: PTH208 (pathlib takes four times as long)
        return look()
    # Another thread may free what is looked at; in a fork there is none.
    return _in_fork(look)


def _look(engine: Engine, first: int, last: int, of_one_thread: bool) -> Sizes:
    sizes: Sizes = Counter()
    for block in engine.live_of(first, last):
        if not (of_one_thread and block.in_thread):
            sizes[block.place, block.caller] += block.size
    if engine.mapping_counters().mappings:
        for place in range(first, last + 1):
            for mapping in engine.mappings_of(place):
                if not mapping.is_file:
                    sizes[place, mapping.caller] += mapping.length
    return sizes


def _in_fork(look: Callable[[], Sizes]) -> Sizes:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
        pid = forked(partial(_write, look, answer))
        if wait(pid, time.monotonic() + _PATIENCE) != 0:
            raise RuntimeError("The fork that looks at all blocks has come to nothing.")
        answer.seek(0)
        return Counter({(place, caller): size for place, caller, size in json.load(answer)})


def _write(look: Callable[[], Sizes], answer: IO[str]) -> None:
    json.dump([[*key, size] for key, size in look().items()], answer)
    answer.flush()
