"""What is known about a process under valgrind that died, from the log that it left."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

from pytest_valgrind.findings import Kind
from pytest_valgrind.objects import ObjectFiles
from pytest_valgrind.parser import Parser, read_lines
from pytest_valgrind.report import rendered

_BANNER = re.compile(r"\*\*\d+\*\* \*{70}\n\*\*\d+\*\* (\S.*)\n\*\*\d+\*\* \*{70}")


def obituary(number: int, log: Path, memory_map: str) -> Iterator[str]:
    """Return, as lines, what the log says about a process that a signal ended.

    :param number: of the signal.
    :param memory_map: of the process, as it was when its tests began (``/proc/PID/maps``).
    """
    text = log.read_text(encoding="utf-8", errors="replace")
    yield f"[VALGRIND CRASH] The process under valgrind died of {_signal_name(number)}."
    tests = _BANNER.findall(text)
    if tests:
        yield f"It happened in {tests[-1]}, or after it and before the next test."
    else:
        yield "It happened before the first test."
    if number == signal.SIGILL and "unhandled instruction" in text:
        yield (
            "An extension is built with instructions that this valgrind does not know: build it "
            "without -march=native or AVX-512, or use a newer valgrind."
        )
    objects = ObjectFiles(read_map=memory_map.splitlines)
    last_test = text[text.rfind(tests[-1]) :] if tests else text
    findings = Parser(objects.at, objects.owner).findings(read_lines(last_test))
    errors = [finding for finding in findings if finding.kind is not Kind.FATAL_SIGNAL]
    deaths = [finding for finding in findings if finding.kind is Kind.FATAL_SIGNAL]
    # A handler of the signal, as faulthandler's, stands in the stack of the death; the error
    # before it, an invalid write say, has the stack of its cause.
    for finding in [*errors[-1:], *deaths]:
        yield ""
        yield from rendered(finding)
    yield ""
    yield f"Valgrind's log: {log}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
