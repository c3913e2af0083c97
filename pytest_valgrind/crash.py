"""What is known about a process under valgrind that died, from the log that it left."""

from __future__ import annotations

import contextlib
import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from pytest_valgrind.findings import Finding, Kind
from pytest_valgrind.functions import PythonFunctions
from pytest_valgrind.hangs import with_python_stacks
from pytest_valgrind.lines import read_lines
from pytest_valgrind.log import read_to_end
from pytest_valgrind.objects import ObjectFiles
from pytest_valgrind.parser import Parser
from pytest_valgrind.report import rendered

_RULE = re.compile(r"\*\*\d+\*\* \*{70}")
_NAME = re.compile(r"\*\*\d+\*\* (\S.*)")


def obituary(
    number: int, log: Path, memory_map: str, functions: PythonFunctions, python_stacks: Path
) -> Iterator[str]:
    """Return, as lines, what the log says about a process that a signal ended.

    :param number: of the signal.
    :param memory_map: of the process, as it was when its tests began (``/proc/PID/maps``).
    :param functions: of Python's, in that process.
    :param python_stacks: the file with them, if the process was ended because a test hung.
    """
    last = _LastTest(read_to_end(log))
    written = _stacks_of_hang(number, python_stacks)
    if written:
        yield f"[VALGRIND TIMEOUT] {last.name} hung, and its process had to be ended."
    else:
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
        if written:
            # What it was ended by says nothing.
            if finding.kind is Kind.TIMEOUT:
                errors.append(with_python_stacks(finding, written))
        else:
            (deaths if finding.kind is Kind.FATAL_SIGNAL else errors).append(finding)
    # A handler of the signal, as faulthandler's, stands in the stack of the death; the error
    # before it, an invalid write say, has the stack of its cause.
    for finding in [*errors, *deaths]:
        yield ""
        yield from rendered(finding)
    yield ""
    yield f"Valgrind's log: {log}"


def _stacks_of_hang(number: int, python_stacks: Path) -> str:
    """Return what is in the file of Python's stacks if that is why the process ended."""
    if number == signal.SIGABRT:
        with contextlib.suppress(OSError):
            return python_stacks.read_text(encoding="utf-8", errors="replace")
    return ""


class _LastTest:
    """The last test that a log names, and in which line it does."""

    def __init__(self, log: Iterable[str]) -> None:
        self.name = ""
        self.start = 0
        self.has_unknown_instruction = False
        before = above = ""
        for number, line in enumerate(log):
            if _RULE.fullmatch(line):
                if _RULE.fullmatch(above) and (name := _NAME.fullmatch(before)):
                    self.name, self.start = name[1], number
            elif "unhandled instruction" in line:
                self.has_unknown_instruction = True
            above, before = before, line


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
