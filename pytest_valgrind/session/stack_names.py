"""The tests and fixtures below which the stacks of findings end."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Caller, Origin, PythonLine
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.items.item_run import ItemRun


class StackNames:
    """Names functions of tests by the numbers that stacks bear.

    :param item_numbers: the tests by these numbers.
    """

    def __init__(self, item_numbers: ItemNumbers) -> None:
        self._item_numbers = item_numbers

    def named(self, finding: Finding, test: ItemRun) -> Finding:
        """Name the functions below which its stacks end, and the tests, if they are others."""
        if not (finding.caller or finding.process):
            finding = replace(finding, caller=self._caller(finding, test))
        if finding.shown_in or not any(further.origin for further in finding.further):
            return finding  # valgrind knows where the block of the first such error was from
        further = tuple(
            further._replace(
                caption=further.caption + self._where(finding, further.origin, test),
                caller=self._maker(further.origin, test),
            )
            for further in finding.further
        )
        return replace(finding, further=further)

    def _caller(self, finding: Finding, test: ItemRun) -> Caller | None:
        """Return what a finding's own stack ends below."""
        if finding.kind.is_leak:
            return self._maker(finding.origin, test)
        if finding.fixture:
            phases = (phase for phase in test.fixtures if phase.words == finding.fixture)
            return _caller_of_phase(next(phases), test.item)
        function = self._item_numbers.function(test.place)
        # Else the stack is a thread's, or another test's, or does not reach down to this one.
        is_its_own = finding.origin and not (finding.origin.in_thread or finding.shown_in)
        is_test = not (is_its_own and finding.phase == "call")
        return Caller(function, is_test=is_test) if function else None

    def _maker(self, origin: Origin | None, test: ItemRun) -> Caller | None:
        """Return the test whose number the stack of a block has, or the fixture."""
        if origin is None or origin.number is None:
            return None
        place = self._item_numbers.place(origin.number, test.last_place)
        if phase := test.fixture_at(place):
            return _caller_of_phase(phase, test.item)
        function = self._item_numbers.function(place)
        return Caller(function, is_test=True) if function else None

    def _where(self, finding: Finding, origin: Origin | None, test: ItemRun) -> str:
        if origin is None:
            return ""
        if origin.number is None:
            return ", between two tests"
        name = self._item_numbers.name(self._item_numbers.place(origin.number, test.last_place))
        return "" if name == (finding.fixture or test.nodeid) else f", in {name}"


def caller_of(function: Callable[..., object], item: pytest.Item) -> Caller | None:
    """Return where a fixture's function is."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    path = os.path.relpath(code.co_filename, item.config.rootpath)
    path = code.co_filename if path.startswith("..") else path
    return Caller(PythonLine(path, code.co_firstlineno, code.co_name))


def _caller_of_phase(phase: FixturePhase, item: pytest.Item) -> Caller | None:
    return caller_of(phase.function, item) if phase.function else None
