"""What is known about a process under valgrind that died, from the log that it left."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from pytest_valgrind.findings import Finding, Kind
from pytest_valgrind.functions import PythonFunctions
from pytest_valgrind.lines import read_lines
from pytest_valgrind.log import read_to_end
from pytest_valgrind.objects import ObjectFiles
from pytest_valgrind.parser import Parser
from pytest_valgrind.report import rendered

_RULE = re.compile(r"\*\*\d+\*\* \*{70}")
_NAME = re.compile(r"\*\*\d+\*\* (\S.*)")


def obituary(number: int, log: Path, memory_map: str, functions: PythonFunctions) -> Iterator[str]:
    """Return, as lines, what the log says about a process that a signal ended.

    :param number: of the signal.
    :param memory_map: of the process, as it was when its tests began (``/proc/PID/maps``).
    :param functions: of Python's, in that process.
    """
    last = _LastTest(read_to_end(log))
    yield f"[VALGRIND CRASH] The process under valgrind died of {_signal_name(number)}."
    if last.name:
        yield f"It happened in {last.name}, or after it and before the next test."
    else:
        yield "It happened before the first test."
    if number == signal.SIGILL and last.has_unknown_instruction:
        yield (
            "An extension is built with instructions that this valgrind does not know: build it "
            "without -march=native or AVX-512, or use a newer valgrind."
        )
    objects = ObjectFiles(read_map=memory_map.splitlines)
    lines = read_lines(islice(read_to_end(log), last.start, None))
    parser = Parser(objects.at, objects.owner, functions=functions)
    errors: deque[Finding] = deque(maxlen=1)
    deaths: list[Finding] = []
    for finding in parser.findings(lines):
        (deaths if finding.kind is Kind.FATAL_SIGNAL else errors).append(finding)
    # A handler of the signal, as faulthandler's, stands in the stack of the death; the error
    # before it, an invalid write say, has the stack of its cause.
    for finding in [*errors, *deaths]:
        yield ""
        yield from rendered(finding)
    yield ""
    yield f"Valgrind's log: {log}"


class _LastTest:
    """The last test that a log names, and in which line it does."""

    def __init__(self, log: Iterable[str]) -> None:
        self.name = ""
        self.start = 0
        self.has_unknown_instruction = False
        before = ""
        for number, line in enumerate(log):
            if _RULE.fullmatch(before) and (name := _NAME.fullmatch(line)):
                if not _RULE.fullmatch(line):
                    self.name, self.start = name[1], number
            elif "unhandled instruction" in line:
                self.has_unknown_instruction = True
            before = line


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
