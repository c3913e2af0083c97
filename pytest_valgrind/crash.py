"""How a process under valgrind died, by its exit code and by the log that it left."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind.findings import Finding, Kind, Owner
from pytest_valgrind.functions import PythonFunctions
from pytest_valgrind.lines import read_lines
from pytest_valgrind.log import read_to_end
from pytest_valgrind.objects import ObjectFiles
from pytest_valgrind.parser import Parser

_RULE = re.compile(r"\*\*\d+\*\* \*{70}")
_NAME = re.compile(r"\*\*\d+\*\* (\S.*)")
_UNKNOWN_INSTRUCTION = (
    "An extension is built with instructions that this valgrind does not know: build it without "
    "-march=native or AVX-512, or use a newer valgrind."
)
_KILLED = "The kernel kills like this when memory runs out; its log (dmesg) says so."


class Death(NamedTuple):
    """How a process ended that should not have."""

    #: Its exit code, or the negative number of the signal that ended it.
    code: int
    words: str  #: after "The process under valgrind"
    #: The last error before, and what valgrind shows of a fatal signal.
    findings: tuple[Finding, ...]
    advice: str  #: empty if there is none
    log: str


def examine(code: int, log: Path, memory_map: str, functions: PythonFunctions) -> Death:
    """Find out about a process that has ended before its time.

    :param code: its exit code, or the negative number of the signal that ended it.
    :param memory_map: of the process, as it was when its tests began, or earlier
        (``/proc/PID/maps``).
    :param functions: of Python's, in that process.
    """
    last = _LastTest(read_to_end(log))
    objects = ObjectFiles(read_map=memory_map.splitlines)
    lines = read_lines(islice(read_to_end(log), last.start, None))

    def owner(path: str | None, function: str) -> Owner:
        # What was loaded after the map was saved, at import say, is nothing of the interpreter's.
        loaded_later = path is None and memory_map and function != "???"
        return Owner.EXTENSION if loaded_later else objects.owner(path, function)

    parser = Parser(objects.at, owner, functions=functions)
    errors: deque[Finding] = deque(maxlen=1)
    deaths: list[Finding] = []
    for finding in parser.findings(lines):
        (deaths if finding.kind is Kind.FATAL_SIGNAL else errors).append(finding)
    advice = ""
    if code == -signal.SIGILL and last.has_unknown_instruction:
        advice = _UNKNOWN_INSTRUCTION
    elif code == -signal.SIGKILL:
        advice = _KILLED
    # A handler of the signal, as faulthandler's, stands in the stack of the death; the error
    # before it, an invalid write say, has the stack of its cause.
    return Death(code, _how(code), (*errors, *deaths), advice, str(log))


class _LastTest:
    """The last test that a log names, and in which line it does."""

    def __init__(self, log: Iterable[str]) -> None:
        self.start = 0
        self.has_unknown_instruction = False
        before = ""
        for number, line in enumerate(log):
            if _RULE.fullmatch(before) and _NAME.fullmatch(line):
                if not _RULE.fullmatch(line):
                    self.start = number
            elif "unhandled instruction" in line:
                self.has_unknown_instruction = True
            before = line


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code} before its time, by os._exit or exit(3) say"
    try:
        return f"died of {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"died of signal {-code}"
