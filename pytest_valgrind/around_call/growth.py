"""Whether memory keeps growing: the rule for exact counters, and psleak's for readings with noise.

A function is called in rounds, each half as long again as the one before. A leak wastes memory in
each call, so that its growth for each call stays; noise fades.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pytest_valgrind.around_call.call_options import CallOptions

#: Bytes a call that are noise (psleak): glibc's smallest block is of 32.
NOISE_FLOOR = 16
# Growth for each call has faded if it is no more than this part of that before (psleak) ...
_FADED = 0.8
# ... in so many rounds running.
_ROUNDS_OF_FADING = 2
# Of exact counters so many growing rounds are a leak: 2,637 calls by default, in which a cache of
# a thousand entries is full.
_ROUNDS_OF_GROWTH = 5
_LONGER = 1.5


class Verdict(Enum):
    """What is known after a round."""

    CLEAN = "clean"
    #: It has grown, and less and less.
    FADED = "faded"
    LEAKS = "leaks"
    OPEN = "open"


class Growth:
    """Takes what each round has added, and decides.

    :param is_exact: whether readings have no noise: then a round without growth is enough, and so
        are fewer rounds of growth.
    """

    def __init__(self, options: CallOptions, *, is_exact: bool = False) -> None:
        self._options = options
        self._is_exact = is_exact
        self._rounds = options.retries
        if is_exact:
            self._rounds = min(options.retries, _ROUNDS_OF_GROWTH)
        self._before: Mapping[str, float] = {}
        self._fading = 0
        #: How often to call the function in the next round.
        self.times = options.times
        self.rounds = 0
        #: A line for each round with growth.
        self.lines: list[str] = []

    def take(self, added: Mapping[str, int]) -> Verdict:
        """Take the bytes that a round has added, by metric."""
        self.rounds += 1
        times = self.times
        if grown := {metric: bytes for metric, bytes in added.items() if bytes > 0}:
            self.lines.append(_line(self.rounds, grown, times))
        each = {metric: bytes / times for metric, bytes in added.items()}
        beyond = [name for name in added if added[name] > self._options.tolerated(name)]
        if not beyond:
            return Verdict.CLEAN
        is_fading = not self._is_exact and all(
            each[name] <= NOISE_FLOOR or each[name] <= self._before.get(name, 0) * _FADED
            for name in beyond
        )
        self._fading = self._fading + 1 if is_fading else 0
        if self._fading >= _ROUNDS_OF_FADING:
            return Verdict.FADED
        if self.rounds >= self._rounds:
            return Verdict.LEAKS
        self._before = each
        self.times = int(times * _LONGER)
        return Verdict.OPEN

    @property
    def message(self) -> str:
        """What a leak is reported with."""
        lines = "\n".join(self.lines)
        return f"memory kept increasing after {self.rounds} runs\n{lines}"


def _line(number: int, grown: Mapping[str, int], times: int) -> str:
    # As psleak has it: the average is the first metric's.
    metrics = " | ".join(f"{name}=+{bytes:<5}" for name, bytes in grown.items())
    average = next(iter(grown.values())) // times
    return f"Run #{number:>2}: {metrics:<50} (calls={times:>4}, avg/call=+{average})"
