"""Groups of tests that share a leak check: when one closes, and what is settled."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple, overload

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.items.item_run import ItemRun

#: A group closes when its check takes this part of the time that it ran; twice as much at the end
#: of a module, where most fixtures end as well.
SHARE = 0.04


class Tail(Sequence[ItemRun]):
    """The tests of a group from one on.

    Each leak of a group has one, and there may be thousands of both: it is no copy.
    """

    def __init__(self, tests: Sequence[ItemRun], start: int) -> None:
        self._tests = tests
        self._start = start
        self._length = len(tests) - start

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> ItemRun: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ItemRun]: ...

    def __getitem__(self, index: int | slice) -> ItemRun | Sequence[ItemRun]:
        places = range(self._start, self._start + self._length)[index]
        if isinstance(places, range):
            return [self._tests[place] for place in places]
        return self._tests[places]

    def after(self, number: int) -> Tail:
        """Return it without the first of them."""
        return Tail(self._tests, self._start + min(number, self._length))


class Group:
    """Consecutive tests."""

    def __init__(self) -> None:
        self.tests: list[ItemRun] = []
        #: Where fixtures are torn down, by the places of their setups; and of how many places.
        self._ends: tuple[int, dict[int, tuple[ItemRun, FixturePhase]]] = (0, {})

    @property
    def last(self) -> int:
        """The last place that is of one of its tests."""
        return self.tests[-1].last_place if self.tests else -1

    @property
    def places(self) -> int:
        """How many places are of its tests: one each, and one for each phase of a fixture."""
        return self.last - self.tests[0].place + 1 if self.tests else 0

    def at(self, place: int) -> ItemRun | None:
        """Return the test to which a place belongs, None if it is not of the group."""
        if place > self.last:
            return None
        index = bisect_right(self.tests, place, key=lambda test: test.place) - 1
        return self.tests[index] if index >= 0 else None

    def since(self, place: int) -> Group:
        """Return those of its tests that ran from a place on."""
        rest = Group()
        rest.tests = [*self.tail(place)]
        return rest

    def tail(self, place: int) -> Tail:
        """Return the same as a view."""
        start = bisect_left(self.tests, place, key=lambda test: test.last_place)
        return Tail(self.tests, start)

    def teardown_of(self, place: int) -> tuple[ItemRun, FixturePhase] | None:
        """Return the test in which a fixture was torn down, and that phase.

        :param place: of the fixture's setup.
        """
        places, ends = self._ends
        if places != self.places:  # the group has grown
            ends = {}
            for test in self.tests:
                for phase in test.fixtures:
                    if phase.setup:
                        ends.setdefault(phase.setup.place, (test, phase))
            self._ends = (self.places, ends)
        return ends.get(place)


class Unsettled(NamedTuple):
    """A lost block of which it is not known in which test it was lost."""

    finding: Finding
    group: Group
    #: Whether it is known in which of them it was made, the first.
    knows_maker: bool = False


class Queue:
    """The group that is open, and the one whose check is under way.

    :param most: places in a group; there are no more that can be told apart.
    :param share: of a group's time that its check may take.
    """

    def __init__(self, most: int, share: float = SHARE) -> None:
        self.open = Group()
        self.checked: Group | None = None
        self._most = most
        self._share = share
        self._price = 0.0
        self._seconds = 0.0

    def add(self, test: ItemRun) -> None:
        """Take a test that ran into the open group."""
        self.open.tests.append(test)
        self._seconds += test.seconds

    @property
    def is_full(self) -> bool:
        """Whether the open group cannot take another test."""
        return self.open.places >= self._most

    @property
    def is_at_end(self) -> bool:
        """Whether the last of all tests is in the open group."""
        return bool(self.open.tests) and self.open.tests[-1].is_last

    @property
    def is_due(self) -> bool:
        """Whether it is worth a check."""
        if not self.open.tests or self.is_at_end:
            return False
        return self._is_worth_it(self.open.tests[-1], self._seconds)

    def would_be_due(self, test: ItemRun) -> bool:
        """Whether the open group is worth a check with a test that is not in it yet."""
        return self._is_worth_it(test, self._seconds + test.seconds)

    def _is_worth_it(self, last: ItemRun, seconds: float) -> bool:
        share = self._share * (2 if last.ends_module else 1)
        return self.checked is None and self._price <= share * seconds

    def close(self) -> None:
        """Begin the check of the open group, and open another.

        Only if none is under way.
        """
        assert self.checked is None
        self.checked, self.open = self.open, Group()
        self._seconds = 0.0

    def expect(self, price: float) -> None:
        """Take a check to take so many seconds."""
        self._price = price

    def merge(self) -> None:
        """Put the open group together with the one before it, as one check sees what both lost."""
        assert self.checked is not None
        self.checked.tests += self.open.tests
        self.open = Group()
        self._seconds = 0.0

    def settle(self, price: float) -> Group:
        """Return the group whose check has ended.

        :param price: seconds that the check took.
        """
        group, self.checked = self.checked, None
        assert group is not None
        self._price = price
        return group
