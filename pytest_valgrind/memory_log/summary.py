"""The section of the summary about the memory log: the tests by which memory grew most."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.memory_log import records
from pytest_valgrind.memory_log.records import MemoryOfTest
from pytest_valgrind.memory_size import format_size

#: Tests that are named.
_MOST = 10
#: Bytes of growth from which on a test may be: what is less is how memory is handed out.
_LEAST = 1 << 20


class MemorySummary:
    """Writes it where the session ends that reports the tests.

    :param path: of the log.
    :param limit: bytes by which a test may grow, None if there is no limit.
    :param includes_valgrind: whether the processes run under valgrind.
    """

    def __init__(self, path: Path, limit: float | None, *, includes_valgrind: bool) -> None:
        self._path = path
        self._limit = limit
        self._includes_valgrind = includes_valgrind

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the section."""
        terminalreporter.section("memory log")
        try:
            tests = list(records.read(self._path))
        except OSError as error:
            terminalreporter.write_line(f"{self._path} cannot be read: {error.strerror}")
            return
        for line in lines(tests, self._limit):
            terminalreporter.write_line(line)
        if self._includes_valgrind:
            terminalreporter.write_line("of processes under valgrind, with valgrind's own memory")
        terminalreporter.write_line(f"log: {self._path}")


def lines(tests: list[MemoryOfTest], limit: float | None = None) -> Iterator[str]:
    """Return, as lines, a table of the tests that grew most, and how many were measured.

    :param limit: bytes by which a test may grow, None if there is no limit.
    """
    least = _LEAST if limit is None else min(_LEAST, limit)
    grown = sorted((test for test in tests if test.growth >= least), key=_growth, reverse=True)
    if grown:
        yield f"{'grew by':>10}{'peak':>12}  test"
    for test in islice(grown, _MOST):
        peak = "?" if test.rss_peak is None else format_size(test.rss_peak)
        over = "  (over the limit)" if limit is not None and test.growth > limit else ""
        yield f"{format_size(test.growth):>10}{peak:>12}  {test.nodeid}{over}"
    if (more := len(grown) - _MOST) > 0:
        yield f"and {more:,} more that grew by {format_size(least)} or more"
    if not grown and tests:
        yield f"no test grew by {format_size(least)} or more"
    # After a crash, tests may have run twice.
    yield f"{plural(len({test.nodeid for test in tests}), 'test')} measured"


def _growth(test: MemoryOfTest) -> int:
    return test.growth
