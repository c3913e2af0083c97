"""Reads the counters when nothing is left but what is kept."""

from __future__ import annotations

from collections.abc import Callable

from pytest_valgrind.hunt.caches import clear_caches
from pytest_valgrind.hunt.counters import Counters, Reading
from pytest_valgrind.hunt.opcode_caches import decline_opcode_caches
from pytest_valgrind.leaks.garbage import Garbage


class Observer:
    """Looks at the process between repetitions.

    :param tidy: is called before each look, to put away what is nobody's leak.
    """

    def __init__(self, counters: Counters, garbage: Garbage, tidy: Callable[[], object]) -> None:
        self.counters = counters
        self._garbage = garbage
        self._tidy = tidy

    def start(self, into: Reading[int]) -> None:
        """Have later collections look only at what is made from now on, and read the counters."""
        self._put_away()
        self._garbage.settle()
        self.counters.read(into)

    def collect(self) -> None:
        """Put away what can be, and collect garbage."""
        self._put_away()
        self._garbage.collect()

    def read(self, into: Reading[int]) -> None:
        """Collect, and read the counters."""
        self.collect()
        self.counters.read(into)

    def steady(self) -> None:
        """Keep the interpreter from making what it makes late; for a test in which something grows.

        It takes some time.
        """
        decline_opcode_caches(self.counters.objects)

    def _put_away(self) -> None:
        self._tidy()
        clear_caches()
