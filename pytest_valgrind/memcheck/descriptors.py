"""File descriptors that tests leave open, as valgrind lists them where it tracks them."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.standard_library import kept_descriptors

# What tells a descriptor from others that are open, or were: its number, and where it was opened.
_Key = tuple[int, str]


class Descriptors:
    """The descriptors that the tests of this process have opened.

    What is open when all fixtures have been torn down was left open by the test below whose number
    it was opened. What was opened before the first test or between two is nobody's: it is
    inherited, or belong to pytest and its plugins.

    :param item_numbers: the tests, by the numbers of their frames.
    """

    def __init__(self, monitor: MemcheckMonitor, item_numbers: ItemNumbers) -> None:
        self._monitor = monitor
        self._item_numbers = item_numbers
        # Those that ran, by their places, among which are those of fixtures' phases.
        self._tests: list[tuple[int, str]] = []
        # The places of the tests by which those were opened that were open when last looked at.
        self._places: dict[_Key, int] = {}
        self._looked_at = -1

    def test_ran(self, place: int, nodeid: str) -> None:
        """Take a test that ran, and look at what is open before its number stands for another."""
        self._tests.append((place, nodeid))
        if self._item_numbers.last - self._looked_at >= self._item_numbers.numbers // 2:
            self._looked_at = self._item_numbers.last
            self._places = self._placed(self._monitor.descriptors())

    def left_open(self) -> Iterator[tuple[str, Finding]]:
        """Yield what tests have opened and is open now, each with the name of the test."""
        found = self._monitor.descriptors()
        places = self._placed(found)
        kept = kept_descriptors()
        for descriptor in found:
            key = _key(descriptor)
            if key in places and key[0] not in kept:
                yield self._test_of(places[key], descriptor)

    def _test_of(self, place: int, descriptor: Finding) -> tuple[str, Finding]:
        """Return the test at a place, and the phase of a fixture if it is one of these."""
        first, nodeid = self._tests[bisect(self._tests, place, key=lambda test: test[0]) - 1]
        if first == place:
            return nodeid, descriptor
        return nodeid, replace(descriptor, fixture=self._item_numbers.name(place))

    def _placed(self, found: Sequence[Finding]) -> dict[_Key, int]:
        places = {}
        for descriptor in found:
            key, origin = _key(descriptor), descriptor.origin
            if origin is not None and origin.number is not None:
                latest = self._item_numbers.place(origin.number, self._item_numbers.last)
                places[key] = self._places.get(key, latest)
        return places


def _key(descriptor: Finding) -> _Key:
    # "Open file descriptor 3: /dev/null", "Open AF_INET socket 4: 127.0.0.1:80 <-> unbound"
    words = descriptor.message.partition(":")[0].split()
    number = int(words[-1]) if words[-1].isdecimal() else -1
    return number, descriptor.raw.partition("\n")[2]
