"""Blocks of loss records as a clone lists them in its log, and what it prints of their objects.

The clone that has found them prints what it knows to its log, and the process reads it there. A
broken object may crash the clone, which does not affect the process.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pytest_valgrind import client
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import Line, read_lines
from pytest_valgrind.memcheck.log_names import LogNames
from pytest_valgrind.objects.lost_objects import (
    Block,
    LostObject,
    addresses,
    described,
    kinds,
    lost_objects,
)

# The clone's log has the loss records twice; from here on they come with their blocks.
BLOCKS = "pytest-valgrind: the blocks of what was lost"
_OBJECT = "pytest-valgrind: in loss record "
_RECORD = re.compile(r".* are definitely lost in (?:new )?loss record ([\d,]+) of .*")
# What only a lost block has kept comes after it, indented, with a record of its own.
_BLOCK = re.compile(r"( *)0x([0-9A-Fa-f]+)\[([\d,]+)\](?: indirect loss record \d+)?")
_FOUND_OBJECT = re.compile(re.escape(_OBJECT) + r"(\d+): (.*)")
_TYPE = "pytest-valgrind: types in loss record "
_FOUND_TYPE = re.compile(re.escape(_TYPE) + r"(\d+): (\d+) (.*)")


def explain(log: str) -> None:
    """Print, in the clone, which objects were lost.

    :param log: the template of its path.
    """
    _, lost = _look(log)
    for record, things in lost.items():
        # A broken object is no reason to say nothing of the others.
        with contextlib.suppress(Exception):
            for kind, count in kinds(things).items():
                client.print_to_log(f"{_TYPE}{record}: {count} {kind}")
            for line in described(things):
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
        for words in addresses(listed, lost.get(record, ())):
            client.print_to_log(f"{_OBJECT}{record}: {words}")


def _look(
    log: str, dropped: Mapping[int, int] = MappingProxyType({})
) -> tuple[dict[int, list[Block]], dict[int, list[LostObject]]]:
    path = LogNames.expected(log, {}).of(os.getpid())
    blocks = _blocks(read_lines(read_to_end(path), os.getpid()))
    return blocks, lost_objects(blocks, dropped)


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


def _blocks(lines: Iterable[Line]) -> dict[int, list[Block]]:
    found: dict[int, list[Block]] = {}
    record: int | None = None
    is_list = False
    for line in lines:
        if line.text == BLOCKS:
            is_list = True
        elif is_list and (number := record_number(line.text)):
            record = number
        elif record and (match := _BLOCK.fullmatch(line.text)):
            size = int(match[3].replace(",", ""))
            block = Block(int(match[2], 16), size, is_kept=bool(match[1]))
            found.setdefault(record, []).append(block)
    return found
