"""The lines of valgrind's log, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# "==", "--" or "**", a time with --time-stamp=yes, and the process id.
_PREFIX = re.compile(r"(==|--|\*\*)(?:[\d:.]+ )?(\d+)\1 ?(.*)")
_COMMAND = re.compile(r"==\d+== Command: (.*)")


class Line(NamedTuple):
    """A line of a log."""

    #: ``==`` from the tool, ``--`` from valgrind's core, ``**`` from the program, and nothing from
    #: whoever prints without a mark, as valgrind does with suppressions.
    mark: str
    #: Without a mark, the process of the line before.
    pid: int
    text: str
    raw: str


def read_lines(log: Iterable[str], pid: int | None = None) -> Iterator[Line]:
    """Take lines apart.

    :param log: its lines, without their ends.
    :param pid: of the process whose lines they shall be, None for all.
    """
    last = 0
    # As nearly all lines of a process begin: no pattern is needed for them.
    usual = f"=={pid}== "
    for raw in log:
        if pid is not None and raw.startswith(usual):
            last = pid
            yield Line("==", pid, raw[len(usual) :], raw)
            continue
        if match := _PREFIX.fullmatch(raw):
            mark, digits, text = match.groups()
            last = int(digits)
        else:
            mark, text = "", raw
        if pid is None or last == pid:
            yield Line(mark, last, text, raw)


def command_in(head: str) -> str:
    """Return the first line of a process's command, as its log's head has it; empty if it has none.

    :param head: of the log; some thousand characters do.
    """
    match = _COMMAND.search(head)
    return match[1] if match else ""
