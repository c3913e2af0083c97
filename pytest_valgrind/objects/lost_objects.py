"""Python objects in blocks that have been lost: which they were."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import GetSetDescriptorType, MappingProxyType
from typing import NamedTuple

from pytest_valgrind import client
from pytest_valgrind.findings.finding import counted, plural
from pytest_valgrind.objects.safe_repr import safe_repr
from pytest_valgrind.objects.type_facts import HAVE_GC, flags_of, type_name

# Of a loss record.
_MOST_OBJECTS = 5
# Of code and of classes.
_PARTS = (tuple, GetSetDescriptorType)


class Block(NamedTuple):
    """A block that was lost."""

    address: int
    size: int  #: bytes, the collector's words included
    is_kept: bool  #: by another that was lost


class LostObject(NamedTuple):
    """An object in a block that was lost."""

    thing: object
    references: int
    #: Of them, those that no other lost object has.
    lost_references: int
    size: int  #: bytes, the collector's words included
    is_kept: bool  #: by another that was lost

    @property
    def is_culprit(self) -> bool:
        """Whether a reference to it was lost, rather than one to what keeps it.

        The collector knows the references that objects have which it knows. Code is none of these,
        and a class does not show it all of its parts.
        """
        if self.lost_references <= 0:
            return False
        kind = type(self.thing)
        if self.is_kept and (kind in _PARTS or (kind is dict and not self.thing)):
            return False
        return not self.is_kept or bool(flags_of(kind) & HAVE_GC)


def lost_objects(
    blocks: Mapping[int, Iterable[Block]], dropped: Mapping[int, int] = MappingProxyType({})
) -> dict[int, list[LostObject]]:
    """Return the objects in lost blocks, by the number of their loss record.

    :param blocks: all that were lost, by the same number.
    :param dropped: by the complements of their addresses, objects of which the caller itself has
        dropped so many references.
    """
    objects = {
        (record, block): found
        for record, listed in blocks.items()
        for block in listed
        if (found := client.object_in(block.address, block.size))
    }
    known = Counter(
        id(referent) for _, thing in objects.values() for referent in gc.get_referents(thing)
    )
    lost: dict[int, list[LostObject]] = {}
    for (record, block), (references, thing) in objects.items():
        unknown = references - known[id(thing)] - dropped.get(~id(thing), 0)
        shown = LostObject(thing, references, unknown, block.size, block.is_kept)
        lost.setdefault(record, []).append(shown)
    return lost


def described(things: list[LostObject]) -> Iterator[str]:
    """Describe those to which a reference was lost."""
    chosen = [lost for lost in things if lost.is_culprit]
    if not chosen:
        kinds = Counter(type_name(type(lost.thing)) for lost in things)
        yield f"kept by what else was lost: {counted(kinds)}"
    for lost in chosen[:_MOST_OBJECTS]:
        yield f"{type_name(type(lost.thing))}: {in_words(lost)}"


def kinds(things: Iterable[LostObject]) -> Counter[str]:
    """Return how many objects of which type a reference was lost to."""
    return Counter(type_name(type(lost.thing)) for lost in things if lost.is_culprit)


def addresses(blocks: Iterable[Block], things: Iterable[LostObject]) -> Iterator[str]:
    """Yield the addresses, in hexadecimal, of what was lost: ``55d0c0 list``, ``55d0c0``.

    They are those of the objects to which a reference was lost, with their types, or of the blocks
    if there is no object in them.

    :param things: the objects in these blocks.
    """
    objects = list(things)
    if not objects:
        yield from (f"{block.address:x}" for block in blocks)
    for lost in objects:
        if lost.is_culprit:
            yield f"{id(lost.thing):x} {type_name(type(lost.thing))}"


def in_words(lost: LostObject) -> str:
    """Return what can be said about an object without running code of its own."""
    references = plural(lost.references, "reference")
    if 0 < lost.lost_references < lost.references:
        references += f", {lost.lost_references:,} of them lost"
    parts = [references, plural(lost.size, "byte")]
    held = Counter(
        type_name(type(held))
        for held in gc.get_referents(lost.thing)
        if held is not type(lost.thing)
    )
    if held:
        parts.append(f"holds {counted(held)}")
    return f"{safe_repr(lost.thing)}  ({', '.join(parts)})"
