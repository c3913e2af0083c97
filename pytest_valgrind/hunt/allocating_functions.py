"""Which C functions allocate what stays, as the native engine sees it.

The engine itself reports what nothing points to any more. This is for what something keeps: a list
of nodes, a cache in a static variable, a mapping that nobody unmaps.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.heap.c_places import CFrames, with_places
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.hunt.rates import things_per_run

_MOST = 2
_OWNERS = (Owner.EXTENSION, Owner.LIBRARY)


def allocating_functions(repeat: Callable[[int], bool], runs: int, least: float) -> Iterator[str]:
    """Yield lines about C functions of extensions and libraries, those that allocate most first.

    :param repeat: runs it so many times, and says whether it went well.
    :param least: blocks or mappings that must stay.
    """
    try:
        engine = Engine()
    except RuntimeError:
        return
    place = engine.place
    # A thread may free a block while they are listed.
    if place is None or len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 (names are enough)
        return
    before = _live(engine, place)
    if not repeat(runs):
        return
    after = _live(engine, place)
    grown = Counter({key: after[key] - before[key] for key in after})
    frames = CFrames()
    made = [
        (frame, noun, count)
        for (caller, noun), count in grown.most_common()
        if count >= least and (frame := frames.at(caller)).owner in _OWNERS
    ][:_MOST]
    for (_, noun, count), found in zip(
        made, with_places([frame for frame, _, _ in made]), strict=True
    ):
        frame = found[-1]
        where = f" ({frame.file}:{frame.line})" if frame.file else ""
        yield f"{things_per_run(count, runs, noun)} more a run: made by {frame.function}{where}"


def _live(engine: Engine, place: int) -> Counter[tuple[int, str]]:
    """Return how many blocks and mappings there are, by the address that the caller goes on at."""
    counts = Counter((block.caller, "block") for block in engine.live_of(place, place))
    counts.update((mapping.caller, "mapping") for mapping in engine.mappings_of(place))
    return counts
