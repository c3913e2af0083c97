"""How many tests wait for their group's leak check, shown where somebody watches."""

from __future__ import annotations

from collections.abc import Generator
from time import perf_counter
from typing import TextIO

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.leaks.attribution import LeakAttribution

# Seconds between two numbers: each costs a write, under valgrind.
_INTERVAL = 0.5
#: To the end of the line (ECMA-48, 8.3.41: EL), and so many columns back (8.3.18: CUB).
_ERASE = "\x1b[K"
_BACK = "\x1b[{}D"


class WaitingTests:
    """Shows a number behind the dots of the tests that have been reported, and takes it back.

    :param terminal: that understands control sequences.
    """

    def __init__(self, check: LeakAttribution, terminal: TextIO) -> None:
        self._check = check
        self._terminal = terminal
        self._is_shown = False
        self._last = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Show how many there are after a test."""
        ended = yield
        waiting = self._check.waiting
        if waiting and perf_counter() - self._last > _INTERVAL:
            text = f" {plural(waiting, 'test')} waiting for a leak check"
            self._terminal.write(f"{_ERASE}{text}{_BACK.format(len(text))}")
            self._terminal.flush()
            self._is_shown = True
            self._last = perf_counter()
        return ended

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Make room for what will be written."""
        self._clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Make room for what will be written."""
        self._clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave nothing behind."""
        self._clear()

    def _clear(self) -> None:
        if self._is_shown:
            self._terminal.write(_ERASE)
            self._is_shown = False


def show_waiting(check: LeakAttribution, config: pytest.Config) -> None:
    """Show them from now on, if pytest writes to a terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or check.settles_at_once or not reporter.isatty or not reporter.hasmarkup:
        return
    terminal = pytest_internals.unbuffered_terminal(reporter)
    config.pluginmanager.register(WaitingTests(check, terminal))
