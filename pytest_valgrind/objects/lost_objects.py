"""Objects in blocks that have been lost: which they were.

The clone that has found them prints what it knows to its log, and the process reads it there. In
the clone nothing matters any more: an object that is broken may end it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import GetSetDescriptorType, MappingProxyType
from typing import NamedTuple

from pytest_valgrind import client
from pytest_valgrind.findings.finding import counted, plural
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import Line, read_lines
from pytest_valgrind.memcheck.log_names import LogNames
from pytest_valgrind.objects.safe_repr import safe_repr, type_name

# The clone's log has the loss records twice; from here on they come with their blocks.
BLOCKS = "pytest-valgrind: the blocks of what was lost"
_OBJECT = "pytest-valgrind: in loss record "
_RECORD = re.compile(r".* are definitely lost in (?:new )?loss record ([\d,]+) of .*")
# What only a lost block has kept comes after it, indented, with a record of its own.
_BLOCK = re.compile(r"( *)0x([0-9A-Fa-f]+)\[([\d,]+)\](?: indirect loss record \d+)?")
_FOUND_OBJECT = re.compile(re.escape(_OBJECT) + r"(\d+): (.*)")
_TYPE = "pytest-valgrind: types in loss record "
_FOUND_TYPE = re.compile(re.escape(_TYPE) + r"(\d+): (\d+) (.*)")
# Of a loss record.
_MOST_OBJECTS = 5
# Of a type (Include/object.h): Py_TPFLAGS_HAVE_GC.
_HAVE_GC = 1 << 14
# Of code and of classes.
_PARTS = (tuple, GetSetDescriptorType)
# Looked up here, as a metaclass of somebody's may have others.
_flags_of = vars(type)["__flags__"].__get__


class _Block(NamedTuple):
    address: int
    size: int  #: bytes, the collector's words included
    is_kept: bool  #: by another that was lost


class _Lost(NamedTuple):
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
        return not self.is_kept or bool(_flags_of(kind) & _HAVE_GC)


def explain(log: str) -> None:
    """Print, in the clone, which objects were lost.

    :param log: the template of its path.
    """
    _, lost = _look(log)
    for record, things in lost.items():
        # A broken object is no reason to say nothing of the others.
        with contextlib.suppress(Exception):
            for kind, count in _kinds(things).items():
                client.print_to_log(f"{_TYPE}{record}: {count} {kind}")
            for line in _described(things):
                # A name of a file may have ends of lines in it.
                client.print_to_log(f"{_OBJECT}{record}: {' '.join(line.splitlines())}")


def explain_addresses(log: str, dropped: Mapping[int, int]) -> None:
    """Print, in the clone, what was lost: the addresses, and the types of objects.

    :param log: the template of its path.
    :param dropped: by the complements of their addresses, objects of which the clone itself has
        dropped so many references, and which are not lost if there are no others.
    """
    blocks, lost = _look(log, dropped)
    for record, listed in blocks.items():
        for thing in lost.get(record, ()):
            if thing.is_culprit:
                kind = type_name(type(thing.thing))
                client.print_to_log(f"{_OBJECT}{record}: {id(thing.thing):x} {kind}")
        if record not in lost:
            for block in listed:
                client.print_to_log(f"{_OBJECT}{record}: {block.address:x}")


def _look(
    log: str, dropped: Mapping[int, int] = MappingProxyType({})
) -> tuple[dict[int, list[_Block]], dict[int, list[_Lost]]]:
    path = LogNames.expected(log, {}).of(os.getpid())
    blocks = _blocks(read_lines(read_to_end(path), os.getpid()))
    objects = {
        (record, block): found
        for record, listed in blocks.items()
        for block in listed
        if (found := client.object_in(block.address, block.size))
    }
    known = Counter(
        id(referent) for _, thing in objects.values() for referent in gc.get_referents(thing)
    )
    lost: dict[int, list[_Lost]] = {}
    for (record, block), (references, thing) in objects.items():
        unknown = references - known[id(thing)] - dropped.get(~id(thing), 0)
        described = _Lost(thing, references, unknown, block.size, block.is_kept)
        lost.setdefault(record, []).append(described)
    return blocks, lost


class Objects:
    """What a clone has printed about the objects of a loss record."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.described: list[str] = []


def objects_by_record(lines: Iterable[Line]) -> dict[int, Objects]:
    """Return what a clone has printed about objects, by the numbers of their loss records."""
    found: dict[int, Objects] = {}
    for line in lines:
        if line.mark != "**":
            continue
        if match := _FOUND_OBJECT.fullmatch(line.text):
            found.setdefault(int(match[1]), Objects()).described.append(match[2])
        elif match := _FOUND_TYPE.fullmatch(line.text):
            found.setdefault(int(match[1]), Objects()).types[match[3]] = int(match[2])
    return found


def record_number(message: str) -> int | None:
    """Return the number of a loss record, None if it is not definitely lost."""
    match = _RECORD.fullmatch(message)
    return int(match[1].replace(",", "")) if match else None


def _blocks(lines: Iterable[Line]) -> dict[int, list[_Block]]:
    found: dict[int, list[_Block]] = {}
    record: int | None = None
    is_list = False
    for line in lines:
        if line.text == BLOCKS:
            is_list = True
        elif is_list and (number := record_number(line.text)):
            record = number
        elif record and (match := _BLOCK.fullmatch(line.text)):
            size = int(match[3].replace(",", ""))
            block = _Block(int(match[2], 16), size, is_kept=bool(match[1]))
            found.setdefault(record, []).append(block)
    return found


def _described(things: list[_Lost]) -> Iterator[str]:
    """Describe those to which a reference was lost."""
    chosen = [lost for lost in things if lost.is_culprit]
    if not chosen:
        kinds = Counter(type_name(type(lost.thing)) for lost in things)
        yield f"kept by what else was lost: {counted(kinds)}"
    for lost in chosen[:_MOST_OBJECTS]:
        yield f"{type_name(type(lost.thing))}: {in_words(lost)}"


def _kinds(things: Iterable[_Lost]) -> Counter[str]:
    return Counter(type_name(type(lost.thing)) for lost in things if lost.is_culprit)


def in_words(lost: _Lost) -> str:
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
