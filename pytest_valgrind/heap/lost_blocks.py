"""Loss records: the blocks that one place in the code made for one test, and that were lost.

The process and the clone that has found them make the same records of them; the clone alone can
look at the objects in the blocks.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Origin
from pytest_valgrind.heap.c_places import CFrames, FramesAt
from pytest_valgrind.heap.engine import Engine, LostBlock
from pytest_valgrind.objects.lost_objects import Block, addresses, described, kinds, lost_objects


@dataclass
class LossRecord:
    """Blocks that are alike, and what only they keep."""

    place: int  #: of the test that made them
    in_thread: bool
    caller: int  #: the address at which the function goes on that asked for them
    is_kept: bool  #: by a lost block that is in no record: it is of no test, or was known before
    blocks: list[LostBlock] = field(default_factory=list)
    kept: list[LostBlock] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Of all blocks."""
        return sum(block.size for block in (*self.blocks, *self.kept))


def loss_records(lost: Iterable[LostBlock]) -> list[LossRecord]:
    """Make records of lost blocks, in the order of their tests."""
    by_address = {block.address: block for block in sorted(lost, key=lambda block: block.place)}
    records: dict[tuple[object, ...], LossRecord] = {}
    for block in by_address.values():
        head = by_address.get(block.keeper, block)
        key = (head.place, head.in_thread, head.caller, head.keeper != 0)
        record = records.setdefault(key, LossRecord(*key))
        (record.blocks if head is block else record.kept).append(block)
    return list(records.values())


def explain(engine: Engine, which: int) -> None:
    """Tell the process, from the clone, which objects were in the blocks."""
    for number, things in lost_objects(_blocks(engine, which)).items():
        # A broken object is no reason to say nothing of the others.
        with contextlib.suppress(Exception):
            words = [" ".join(line.splitlines()) for line in described(things)]
            _say(engine, number, words, kinds(things))


def explain_addresses(engine: Engine, which: int, dropped: Mapping[int, int]) -> None:
    """Tell the process, from the clone, the addresses and types of what was lost.

    :param dropped: by the complements of their addresses, objects of which the clone itself has
        dropped so many references, and which are not lost if there are no others.
    """
    blocks = _blocks(engine, which)
    lost = lost_objects(blocks, dropped)
    for number, listed in blocks.items():
        _say(engine, number, list(addresses(listed, lost.get(number, ()))))


def _blocks(engine: Engine, which: int) -> dict[int, list[Block]]:
    return {
        number: [
            Block(block.address, block.size, is_kept=block.keeper != 0)
            for block in (*record.blocks, *record.kept)
        ]
        for number, record in enumerate(loss_records(engine.lost(which)))
    }


def _say(
    engine: Engine, number: int, words: list[str], types: Mapping[str, int] = MappingProxyType({})
) -> None:
    line = json.dumps((number, words, dict(types)))
    engine.say(line.encode("utf-8", "backslashreplace") + b"\n")


def findings(engine: Engine, which: int, frames: CFrames) -> list[Finding]:
    """Return what a check has found, a finding for each record."""
    lines = engine.text(which).decode("utf-8", "replace").split("\n")
    # The last line has no end if the clone was ended while it wrote it.
    return findings_of(engine.lost(which), takewhile(bool, lines[:-1]), frames)


def findings_of(lost: Iterable[LostBlock], lines: Iterable[str], frames: FramesAt) -> list[Finding]:
    """Return findings of lost blocks, one for each record.

    :param lines: what the clone that found them has said, see :func:`explain`.
    """
    said = {number: rest for number, *rest in map(json.loads, lines)}
    found = []
    for number, record in enumerate(loss_records(lost)):
        words, types = said.get(number, ((), {}))
        frame = frames.at(record.caller)
        kind = Kind.INDIRECT if record.is_kept else Kind.DEFINITE
        count = len(record.blocks)
        finding = Finding(
            kind,
            f"{plural(record.bytes, 'byte')} in {plural(count, 'block')} "
            f"{'is' if count == 1 else 'are'} {kind.value}",
            stack=(frame,),
            bytes=record.bytes,
            blocks=count,
            phase="gc",
            origin=Origin(record.place, record.in_thread),
            objects=tuple(words),
            types=types,
        )
        found.append(finding)
    return found
