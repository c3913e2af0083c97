"""Tests, and phases of fixtures that they share, as they ran; what a number stands for."""

from __future__ import annotations

from pytest_valgrind.findings.stack import PythonLine

#: Of a test, as pytest has it: file, line from 0, and name.
Location = tuple[str, "int | None", str]


class ItemNumbers:
    """Knows tests, and setups and teardowns of shared fixtures, by their place in the order.

    :param numbers: after so many places the numbers begin again.
    """

    def __init__(self, numbers: int) -> None:
        self.numbers = numbers
        self._names: list[str] = []
        self._locations: list[Location] = []

    def enter(self, name: str, location: Location = ("", None, "")) -> int:
        """Take what is about to run and return its place, from 0.

        :param name: a test's node id, or a fixture's phase in words.
        :param location: of a test's function, as pytest has it.
        """
        self._names.append(name)
        self._locations.append(location)
        return self.last

    @property
    def last(self) -> int:
        """The place of what was entered last, -1 if there is none."""
        return len(self._names) - 1

    def place(self, number: int, last: int) -> int:
        """Return the latest place with a number, up to ``last``."""
        return last - (last - number) % self.numbers

    def tests(self, start: int) -> list[str]:
        """Return the tests from a place on, without what fixtures did between them."""
        both = zip(self._names[start:], self._locations[start:], strict=True)
        return [name for name, location in both if location[0]]

    def name(self, place: int) -> str:
        """Return the name at a place, an empty string for one before the first."""
        return self._names[place] if place >= 0 else ""

    def function(self, place: int) -> PythonLine | None:
        """Return a test's function, None for a place that is no test's."""
        known = place >= 0 and self._locations[place][0]
        return PythonLine.of_test(self._locations[place]) if known else None
