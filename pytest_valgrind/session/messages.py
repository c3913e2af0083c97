"""Messages to the user who waits, past pytest's capturing and reports."""

from __future__ import annotations

import contextlib
import sys

import pytest


def say(pluginmanager: pytest.PytestPluginManager, words: str) -> None:
    """Print words as they are, while pytest captures what is printed."""
    manager = pluginmanager.get_plugin("capturemanager")
    shown = manager.global_and_fixture_disabled() if manager else contextlib.nullcontext()
    with shown:
        print(words, end="", file=sys.stderr, flush=True)


def say_line(pluginmanager: pytest.PytestPluginManager, words: str) -> None:
    """Print a line below what the terminal reporter has written."""
    reporter = pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(words)
