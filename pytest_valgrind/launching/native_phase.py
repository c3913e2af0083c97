"""``--valgrind --heapcheck``: leaks are looked for natively, before valgrind looks for errors only.

Valgrind is then spared leak checks, collections of garbage and deep stacks. What the native phase
has found is reported by the session under valgrind, so that there is one report.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import NamedTuple

from pytest_valgrind.command import Command
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.results import Results
from pytest_valgrind.launching.heap_launch import HeapLaunch
from pytest_valgrind.recovery.history import ProcessHistory, begun, left_to_do
from pytest_valgrind.recovery.leaks_before import LeaksBefore
from pytest_valgrind.settings import Settings


class NativePhase(NamedTuple):
    """What the phase has come to."""

    leaks: LeaksBefore
    #: The exit code if somebody has ended it, None if it may be followed by valgrind.
    code: int | None = None


def run_natively(command: Command, settings: Settings) -> NativePhase:
    """Run the command with the native engine, silently, and return what was found.

    :raises pytest.UsageError: if this cannot work here, with what to do about it.
    """
    start = time.monotonic()
    print("heapcheck: looking for leaks natively first", file=sys.stderr, flush=True)
    natively = settings.natively()
    launch = HeapLaunch(command, natively, is_quiet=True)
    end = launch.run()
    histories = [end.history]
    while end.can_be_followed and left_to_do(histories):
        end = launch.run(begun(histories))
        histories.append(end.history)
    if end.was_asked_for:
        return NativePhase(LeaksBefore(), end.code)
    results = Results()
    for history in histories:
        history.judge(natively)
        results.add(history.results)
    seconds = time.monotonic() - start
    words = f"{plural(results.tests, 'test')} ran natively before, in {seconds:.1f} s"
    if not end.ran_session:
        words = f"no test ran natively: {end.words}"
    leaks = LeaksBefore.of(results, words, _not_checked(histories), ran=end.ran_session)
    return NativePhase(leaks)


def _not_checked(histories: Iterable[ProcessHistory]) -> list[str]:
    return [nodeid for history in histories for nodeid in history.unchecked]
