"""The tests in the order in which they ran, and which of them a number stands for."""

from __future__ import annotations

from pytest_valgrind.findings import PythonLine
from pytest_valgrind.journal import Journal, Location


class Roll:
    """Knows the tests by their place in the order.

    :param numbers: after so many tests the numbers begin again.
    :ivar journal: in which it is written down what becomes of them.
    """

    def __init__(self, numbers: int, journal: Journal | None = None) -> None:
        self.numbers = numbers
        self.journal = journal or Journal(None)
        self._nodeids: list[str] = []
        self._locations: list[Location] = []

    def __len__(self) -> int:
        return len(self._nodeids)

    def enter(self, nodeid: str, location: Location = ("", None, "")) -> int:
        """Take a test that is about to run and return its place, from 0.

        :param location: of its function, as pytest has it.
        """
        self._nodeids.append(nodeid)
        self._locations.append(location)
        return len(self._nodeids) - 1

    def place(self, number: int, last: int) -> int:
        """Return the place of the latest test with a number, up to the one at ``last``."""
        return last - (last - number) % self.numbers

    def names(self, start: int) -> list[str]:
        """Return the tests from a place on."""
        return self._nodeids[start:]

    def name(self, place: int) -> str:
        """Return a test's node id, an empty string for a place before the first."""
        return self._nodeids[place] if place >= 0 else ""

    def function(self, place: int) -> PythonLine | None:
        """Return a test's function, None for a place before the first."""
        known = place >= 0 and self._locations[place][0]
        return PythonLine.of_test(self._locations[place]) if known else None
