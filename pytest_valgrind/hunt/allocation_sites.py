"""Which lines of Python allocate what stays, by tracemalloc."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator

from pytest_valgrind.hunt.rates import things_per_run
from pytest_valgrind.user_code import is_users, place

#: Of calls, in which a line of the tests is looked for.
_DEPTH = 16
#: Bytes by which a block has grown where it was not made anew, for each run.
_GROWTH = 8


def allocation_sites(
    repeat: Callable[[int], bool], collect: Callable[[], object], runs: int, least: float
) -> list[str]:
    """Return the lines that allocated what stays by way of Python's allocators, the most first.

    :param repeat: runs it so many times, and says whether it went well.
    :param collect: collects garbage.
    :param least: blocks that must stay.
    """
    if tracemalloc.is_tracing():  # it is the user's
        return []
    tracemalloc.start(_DEPTH)
    try:
        # What is made once is made in the first run that is traced.
        if not repeat(1):
            return []
        collect()
        before = tracemalloc.take_snapshot()
        if not repeat(runs):
            return []
        collect()
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    return list(_lines(after.compare_to(before, "traceback"), runs, least))


def _lines(
    statistics: Iterable[tracemalloc.StatisticDiff], runs: int, least: float
) -> Iterator[str]:
    named = set()
    for found in sorted(statistics, key=lambda found: -found.count_diff):
        if found.count_diff < least and found.size_diff < runs * _GROWTH:
            continue
        where = _user_line(found.traceback)
        if where and where not in named:
            named.add(where)
            blocks = things_per_run(found.count_diff, runs, "block")
            # None is new where one only has grown.
            made = f"{blocks}, " if found.count_diff >= least else ""
            size = things_per_run(found.size_diff, runs, "byte")
            yield f"{made}{size} more a run: made at {where}"


def _user_line(frames: tracemalloc.Traceback) -> str:
    """Return the most recent line that is the user's, empty if none is."""
    for frame in reversed(frames):
        if is_users(frame.filename):
            return place(frame.filename, frame.lineno)
    return ""
