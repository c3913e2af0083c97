"""Which objects there are, and what is new after some runs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_valgrind.hunt.holders import holder_of, in_words
from pytest_valgrind.objects.type_facts import is_class, type_name

_SIZED = (list, dict, set)
#: Of lines about objects, and of objects that are looked at for them.
_MOST = 3
_ASKED = 6


class Census:
    """All objects that the collector knows: the references to each, and the items that it holds.

    Objects that are gone afterwards do no harm: what has their place in memory has another type,
    or other numbers.
    """

    def __init__(self, objects: Sequence[object]) -> None:
        self._kinds = {id(thing): type(thing) for thing in objects}
        self._references = {id(thing): sys.getrefcount(thing) for thing in objects}
        self._items = {id(thing): len(thing) for thing in objects if type(thing) in _SIZED}  # type: ignore[arg-type]

    def knows(self, thing: object) -> bool:
        """Whether an object was there."""
        return self._kinds.get(id(thing)) is type(thing)

    def changes(self, objects: Sequence[object], least: float) -> Changes:
        """Return what has become of the objects.

        :param objects: those that are there now.
        :param least: by how much something must have grown.
        """
        # In the place of the list that the census was made of there may be this one.
        self._kinds.pop(id(objects), None)
        own = {id(self), id(vars(self)), *map(id, vars(self).values()), id(objects)}
        changes = Changes([], [], [])
        made: dict[type, list[object]] = {}
        for thing in objects:
            kind = type(thing)
            if id(thing) in own:
                continue
            if not self.knows(thing):
                made.setdefault(kind, []).append(thing)
                continue
            if kind in _SIZED and id(thing) in self._items:
                grown = len(thing) - self._items[id(thing)]  # type: ignore[arg-type]
                if grown >= least:
                    changes.grown.append((grown, thing))
            more = sys.getrefcount(thing) - self._references[id(thing)]
            if more >= least:
                changes.referred.append((more, thing))
        changes.made.extend(things for things in made.values() if len(things) >= least)
        return changes


class Changes(NamedTuple):
    """What is there that was not."""

    grown: list[tuple[int, Any]]  #: containers, and by how many items
    made: list[list[Any]]  #: new objects, by type
    referred: list[tuple[int, Any]]  #: objects with more references, and how many

    def in_words(self, census: Census, runs: int) -> tuple[list[str], list[str]]:
        """Return lines about it: those that say where something is kept, and others.

        :param census: of what was there before.
        :param runs: in which it came to be.
        """
        # To look for what holds an object takes a while: it is done for few.
        grown = [(in_words(thing), more) for more, thing in self.grown[:_ASKED]]
        made = sorted(self.made, key=len, reverse=True)[:_ASKED]
        # The first and the last may be something else.
        held = [(_old_holder(things[len(things) // 2], census), things) for things in made]
        telling: list[str] = []
        others: list[str] = []
        for words, more in grown:
            # Only what has a name says where it is.
            lines = others if words.startswith("a ") else telling
            lines.append(f"{words} grows by {per_run(more, runs)} a run")
        for holder, things in held:
            line = f"{type_name(type(things[-1]))}: {per_run(len(things), runs)} more a run"
            if holder:
                telling.append(f"{line}, held by {holder}")
            else:  # only other new ones keep it
                others.append(line)
        if not (telling or others):
            telling = [
                f"references to {in_words(thing)}: {per_run(more, runs)} more a run"
                for more, thing in sorted(self.referred, key=_rank)[:_MOST]
            ]
        return telling[:_MOST], others[:_MOST]


def _rank(change: tuple[int, object]) -> tuple[bool, int]:
    """Put classes last: they have a reference from each of their instances."""
    return is_class(change[1]), -change[0]


def _old_holder(thing: object, census: Census) -> str:
    """Return what keeps a new object that was there before, empty if nothing is known."""
    for holder in gc.get_referrers(thing):
        if census.knows(holder) and (words := holder_of(thing, holder)):
            return words
    return ""


def per_run(count: int, runs: int) -> str:
    """Return how many there are a run, where some may be made once."""
    return f"{count // runs:,}" if count >= runs else f"{count / runs:.2g}"
