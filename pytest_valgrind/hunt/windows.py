"""When growth is a leak: a test is repeated in windows of 10, 10, 20, 40, 80 ... runs.

A leak goes on at its rate however long the window, and a cache that fills does not. What is read
between windows only disturbs less than what is read after each run, and rare leaks need long
windows anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Runs before the first window: most of what is made once is made there.
WARM_UP = 2
#: Of the first window: even what leaks only in each tenth run leaks there, so that a test is clean
#: after it if nothing has grown. Those that follow are as long as all before them.
FIRST = 10
#: Nor does a leak need more runs: a cache of a thousand entries is full by then.
MOST = 2560
#: Windows that a leak grows in. Nothing is blamed before, however long a run takes. Descriptors and
#: threads are then, as they are scarce, and seldom cached.
DECIDING = 3
_COMPARED = 4
_LONG = 128
#: What grows more rarely is chance: a few references in a thousand runs.
_RAREST = 1 / 200


def windows(least: int = FIRST) -> list[int]:
    """Return the windows, by their runs, after which a test may be clean for the first time.

    :param least: runs of all of them.
    """
    found = [FIRST]
    while sum(found) < least:
        found.append(sum(found))
    return found


def is_leak(growth: Sequence[int], runs: Sequence[int]) -> bool:
    """Whether what has grown is a leak.

    It has grown in each of the last three windows, and in the last at half the average rate of the
    last four at least; at two thirds of it in long windows, where chance has less to say, and if
    there are no more than three. It has grown by one in two hundred runs at least.

    :param growth: by window.
    :param runs: of each window.
    """
    if len(growth) < DECIDING or min(growth[-DECIDING:]) <= 0:
        return False
    rates = [grown / count for grown, count in zip(growth, runs, strict=True)][-_COMPARED:]
    if rates[-1] < _RAREST:
        return False
    least = 2 / 3 if runs[-1] >= _LONG or len(rates) < _COMPARED else 1 / 2
    return rates[-1] >= least * sum(rates) / len(rates)


def all_grew(growth: Sequence[int]) -> bool:
    """Whether it is a leak by the rule of CPython's regrtest, with a window for each run."""
    return min(growth) >= 1


def all_but_one_grew(growth: Sequence[int]) -> bool:
    """Whether it would be one by that rule but for a single run, of three at least."""
    return len(growth) > 2 and sum(grown < 1 for grown in growth) == 1
