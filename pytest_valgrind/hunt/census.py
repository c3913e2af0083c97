"""Which objects there are, and what is new after some runs."""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pytest_valgrind.hunt.holders import Place, in_words, place_of
from pytest_valgrind.hunt.rates import per_run
from pytest_valgrind.hunt.sizes import known, size_of, without
from pytest_valgrind.hunt.untracked import CONSTANTS, INTEGERS, SHARED
from pytest_valgrind.objects.type_facts import is_class, type_name

#: Of lines about objects, and of objects that are looked at for them.
_MOST = 3
_ASKED = 6
#: References a run that need no more explanation.
_FEW = 0.5


class Census:
    """All objects: the references to each, and how much is in it.

    Objects that are gone afterwards do no harm: what has their place in memory has another type,
    or other numbers.

    :param tracked: those that the collector knows. It does not know strings and numbers, nor
        dictionaries and tuples of nothing else.
    :param constants: by :func:`references_to_constants`.
    """

    def __init__(self, tracked: Sequence[object], constants: Sequence[int]) -> None:
        self._constants = constants
        objects = _with_untracked(tracked)
        self._kinds = {id(thing): type(thing) for thing in objects}
        self._references = {id(thing): sys.getrefcount(thing) for thing in objects}
        sizes = ((id(thing), size_of(thing)) for thing in objects)
        self._sizes = {number: size for number, size in sizes if size is not None}
        # In the end, as these numbers are references to integers themselves.
        self._integers = _references_to(INTEGERS)
        # In their places there may be others of these soon.
        for own in (tracked, objects):
            self._kinds.pop(id(own), None)

    def knows(self, thing: object) -> bool:
        """Whether an object was there."""
        return self._kinds.get(id(thing)) is type(thing)

    def changes(self, tracked: Sequence[object], constants: Sequence[int], least: float) -> Changes:
        """Return what has become of the objects.

        :param tracked: those that the collector knows now.
        :param constants: the references to them now.
        :param least: by how much something must have grown.
        """
        changes = Changes([], [], [])
        for shared, before, after in (
            (CONSTANTS, self._constants, constants),
            (INTEGERS, self._integers, _references_to(INTEGERS)),
        ):
            for thing, first, last in zip(shared, before, after, strict=True):
                if last - first >= least:
                    changes.referred.append((last - first, thing))
        objects = _with_untracked(tracked)
        mine = (self, vars(self), *vars(self).values(), tracked, objects, known, without)
        own = set(map(id, mine))
        own.update(map(id, SHARED))
        made: dict[type, list[object]] = {}
        for thing in objects:
            if id(thing) in own:
                continue
            if not self.knows(thing):
                # What else is new is in one of those, or was made by a line that is named.
                if gc.is_tracked(thing):
                    made.setdefault(type(thing), []).append(thing)
                continue
            if (size := self._sizes.get(id(thing))) is not None:
                grown = (size_of(thing) or 0) - size
                if grown >= least:
                    changes.grown.append((grown, thing))
            more = sys.getrefcount(thing) - self._references[id(thing)]
            if more >= least:
                changes.referred.append((more, thing))
        changes.made.extend(things for things in made.values() if len(things) >= least)
        return changes


def references_to_constants() -> Sequence[int]:
    """Return how many references there are to None and its like.

    To be called where caches have just been emptied: CPython's cache of attributes is full of None
    then, and has less of it with each attribute that is looked up (3.10 and 3.11).
    """
    return _references_to(CONSTANTS)


class Changes(NamedTuple):
    """What is there that was not."""

    grown: list[tuple[int, Any]]  #: containers, and by how many items
    made: list[list[Any]]  #: new objects, by type
    referred: list[tuple[int, Any]]  #: objects with more references, and how many

    def in_words(self, census: Census, runs: int) -> tuple[list[str], list[str]]:
        """Return lines about objects: those that say where something is kept, and others.

        :param census: of what was there before.
        :param runs: in which it came to be.
        """
        telling: list[str] = []
        others: list[str] = []
        # To look for what holds an object takes a while: it is done for few.
        for more, thing in self.grown[:_ASKED]:
            place = place_of(thing, census.knows)
            line = f"{in_words(thing, place)} grows by {per_run(more, runs)} a run"
            (telling if place else others).append(line)
        for things in sorted(self.made, key=len, reverse=True)[:_ASKED]:
            line = f"{type_name(type(things[-1]))}: {per_run(len(things), runs)} more a run"
            if place := _place(things, census):
                how = "such as" if place.is_own else "held by"
                telling.append(f"{line}, {how} {place.name}")
            else:  # only other new ones keep it
                others.append(line)
        return telling[:_MOST], others[:_MOST]

    def references(self, census: Census, runs: int, rate: float) -> list[str]:
        """Return lines about references to what was there before; new objects have some as well.

        :param census: of what was there before.
        :param runs: in which there came to be more.
        :param rate: how many more are to be explained for each run.
        """
        lines = []
        for more, thing in sorted(self.referred, key=_rank)[:_MOST]:
            if rate <= _FEW:
                break
            words = in_words(thing, place_of(thing, census.knows))
            lines.append(f"references to {words}: {per_run(more, runs)} more a run")
            rate -= more / runs
        return lines


def _with_untracked(tracked: Sequence[object]) -> list[object]:
    """Return also what they refer to and what the collector does not know, each of it once."""
    untracked = {
        id(thing): thing for thing in gc.get_referents(*tracked) if not gc.is_tracked(thing)
    }
    return [*tracked, *untracked.values()]


def _rank(change: tuple[int, object]) -> tuple[int, bool]:
    """Put the most first, and classes last: these have a reference from each instance."""
    return -change[0], is_class(change[1])


def _place(things: Sequence[object], census: Census) -> Place | None:
    """Return where new objects of a type are kept: by what was there before."""
    # The first and the last may be something else.
    thing = things[len(things) // 2]
    place = place_of(thing, census.knows, by_others=True)
    if place is None:
        numbers = set(map(id, things))
        if any(id(holder) in numbers for holder in gc.get_referrers(thing)):
            # Only the end of a chain is held by what was there.
            return place_of(things[-1], census.knows, by_others=True)
    return place


def _references_to(things: Iterable[object]) -> array[int]:
    return array("q", map(sys.getrefcount, things))
