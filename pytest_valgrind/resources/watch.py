"""What has appeared during a test and is still there: by sets, before and after it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.resources.leftovers import finding
from pytest_valgrind.resources.openings import Opening, Openings
from pytest_valgrind.resources.resource import Resource

#: What there is of each resource.
Reading = list[frozenset[Any]]


class _Owned(NamedTuple):
    """A thing that a fixture has opened which outlives the test."""

    left: Finding
    is_over: Callable[[], bool]  #: whether the fixture has been torn down


class Watch:
    """Compares what there is before and after a test.

    What a fixture of wider scope opens is that fixture's, until it is torn down.

    :param resources: of each kind one.
    :param openings: has noted where things were opened.
    """

    def __init__(self, resources: Sequence[Resource[Any]], openings: Openings) -> None:
        self._resources = resources
        self._openings = openings
        self._before: Reading = []
        self._owned: dict[tuple[int, Hashable], _Owned] = {}

    def begin(self) -> None:
        """Take what there is now as nobody's, before a test."""
        self._openings.noted.clear()
        self._before = self._read()

    def end(self) -> list[Finding]:
        """Return what the test has left, and the fixtures that were torn down after it."""
        if not self._before:
            return []
        after = self._read()
        left = []
        if after != self._before and self._new(self._before, after):
            # What waits for the garbage collector is closed by it.
            gc.collect()
            after = self._read()
            new = self._settled(self._new(self._before, after))
            left = [self._finding(place, thing) for place, thing in new]
        if self._owned:
            left += self._of_fixtures(after)
        self._before = []
        self._openings.noted.clear()
        return left

    @contextmanager
    def phase(self, words: str, is_over: Callable[[], bool]) -> Iterator[None]:
        """Take what is opened meanwhile as a fixture's.

        :param words: setup or teardown of which fixture, for the report.
        :param is_over: whether the fixture has been torn down since.
        """
        start = self._read()
        try:
            yield
        finally:
            for place, thing in self._new(start, self._read()):
                left = replace(self._finding(place, thing), fixture=words)
                self._owned[place, thing] = _Owned(left, is_over)

    def _read(self) -> Reading:
        self._openings.is_paused = True
        try:
            return [resource.read() for resource in self._resources]
        finally:
            self._openings.is_paused = False

    def _new(self, before: Reading, after: Reading) -> list[tuple[int, Any]]:
        """Return what is new and no fixture's, each with the place of its kind."""
        return [
            (place, thing)
            for place, (was, now) in enumerate(zip(before, after, strict=True))
            if was is not now
            for thing in now - was
            if (place, thing) not in self._owned
        ]

    def _settled(self, new: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        """Return those that are still there after a moment."""
        left = []
        for place in dict.fromkeys(place for place, _ in new):
            things = frozenset(thing for its_place, thing in new if its_place == place)
            left += [(place, thing) for thing in self._resources[place].settled(things)]
        return sorted(left, key=lambda each: (each[0], str(each[1])))

    def _of_fixtures(self, after: Reading) -> list[Finding]:
        """Return what fixtures have left that were torn down; forget what is not there any more."""
        left = []
        for (place, thing), owned in list(self._owned.items()):
            is_there = thing in after[place]
            if is_there and owned.is_over():
                is_there = bool(self._resources[place].settled(frozenset({thing})))
                left += [owned.left] * is_there
                is_there = False
            if not is_there:
                del self._owned[place, thing]
        return left

    def _finding(self, place: int, thing: Any) -> Finding:
        resource = self._resources[place]
        openings: Sequence[Opening] = self._openings.noted
        return finding(resource.kind, resource.describe(thing), resource.where(thing, openings))
