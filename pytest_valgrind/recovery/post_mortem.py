"""How a process under valgrind died, by its exit code and by the log that it left."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.memcheck.parser import Parser
from pytest_valgrind.memcheck.python_functions import PythonFunctions
from pytest_valgrind.memcheck.python_stacks import with_python_stacks

_RULE = re.compile(r"\*\*\d+\*\* \*{70}")
_NAME = re.compile(r"\*\*\d+\*\* (\S.*)")
_UNKNOWN_INSTRUCTION = (
    "An extension is built with instructions that this valgrind does not know: build it without "
    "-march=native or AVX-512, or use a newer valgrind."
)
_HUNG = "killed: a test timed out"
_KILLED = "The kernel kills like this when memory runs out; its log (dmesg) says so."


def examine(
    code: int, log: Path, memory_map: str, functions: PythonFunctions, python_stacks: Path
) -> Crash:
    """Find out how a process crashed.

    :param code: its exit code, or the negative number of the signal that ended it.
    :param memory_map: of the process, as it was when its tests began, or earlier
        (``/proc/PID/maps``).
    :param functions: the Python functions of that process.
    :param python_stacks: the file with them, if the process was ended because a test hung.
    """
    last = _LastTest(read_to_end(log))
    written = _stacks_of_hang(code, python_stacks)
    objects = ObjectFiles(read_map=memory_map.splitlines)
    lines = read_lines(islice(read_to_end(log), last.start, None))

    def owner(path: str | None, function: str) -> Owner:
        # What was loaded after the map was saved, as by an import, is not the interpreter.
        loaded_later = path is None and memory_map and function != "???"
        return Owner.EXTENSION if loaded_later else objects.owner(path, function)

    parser = Parser(objects.at, owner, functions=functions)
    errors: deque[Finding] = deque(maxlen=1)
    crashes: list[Finding] = []
    for finding in parser.findings(lines):
        if written:
            # What it was ended by says nothing.
            if finding.kind is Kind.TIMEOUT:
                errors.append(with_python_stacks(finding, written))
        elif finding.kind is Kind.FATAL_SIGNAL:
            crashes.append(finding)
        elif not crashes:  # beyond its end, valgrind lists the errors of all tests again
            errors.append(finding)
    advice = ""
    if code == -signal.SIGILL and last.has_unknown_instruction:
        advice = _UNKNOWN_INSTRUCTION
    elif code == -signal.SIGKILL:
        advice = _KILLED
    # A handler of the signal, such as faulthandler's, stands in the stack of the crash; the error
    # before it, such as an invalid write, has the stack of its cause.
    words = _HUNG if written else _how(code)
    return Crash(code, words, (*errors, *crashes), advice, str(log), bool(written))


def native_crash(code: int, stacks_of_hang: Path, stacks_of_crash: Path) -> Crash:
    """Find out about a process that has ended before its time and was not under valgrind.

    :param stacks_of_hang: the file with Python's stacks, if the process was ended because a test
        hung.
    :param stacks_of_crash: the file with them, if a fatal signal ended it.
    """
    hung = _stacks_of_hang(code, stacks_of_hang)
    kind, stacks = (Kind.TIMEOUT, hung) if hung else (Kind.FATAL_SIGNAL, _text_of(stacks_of_crash))
    words = _HUNG if hung else _how(code)
    findings: tuple[Finding, ...] = ()
    if stacks:
        findings = (with_python_stacks(Finding(kind, f"The process {words}"), stacks),)
    advice = _KILLED if code == -signal.SIGKILL else ""
    return Crash(code, words, findings, advice, "", bool(hung), label="HEAP")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _stacks_of_hang(code: int, python_stacks: Path) -> str:
    """Return what is in the file of Python stacks if a hang is why the process ended."""
    if code == -signal.SIGABRT:
        return _text_of(python_stacks)
    return ""


class _LastTest:
    """The last test that a log names, and in which line it does."""

    def __init__(self, log: Iterable[str]) -> None:
        self.start = 0
        self.has_unknown_instruction = False
        before = above = ""
        for number, line in enumerate(log):
            if _RULE.fullmatch(line):
                if _RULE.fullmatch(above) and _NAME.fullmatch(before):
                    self.start = number
            elif "unhandled instruction" in line:
                self.has_unknown_instruction = True
            above, before = before, line


def _how(code: int) -> str:
    if code >= 0:
        return f"exited early with code {code} (os._exit?)"
    try:
        return f"died of {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"died of signal {-code}"
