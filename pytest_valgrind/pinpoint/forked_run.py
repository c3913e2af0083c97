"""One more run of a test, in a fork, to see at which line a finding occurs."""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import IO, Any, NamedTuple

import pytest

from pytest_valgrind import client, pytest_internals
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.fork import detach_output, forked, wait
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.memcheck.block_list import explain_addresses
from pytest_valgrind.memcheck.clone import Clone
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.pinpoint.line_tracer import LineTracer
from pytest_valgrind.pinpoint.local_references import drop_locals, unknown_references

# Seconds that a run may take.
_LONGEST = 120.0
_TOO_LONG = f"the test, run once more line by line, took more than {_LONGEST:.0f} seconds"
_DIED = "the process in which the test ran once more came to no end"
#: A place for a clone that nobody else uses.
_PLACE = 2

#: Runs the test with the evidence of the process that it is called in.
Runs = Callable[[ItemRun, Callable[[str, str], Sequence[Finding]]], None]


class Plan(NamedTuple):
    """Where a run is to check for leaks."""

    #: Before which lines; none is for no checks at all.
    checks: tuple[int, ...] = ()
    #: In functions that are called by the line of this number.
    inside: int | None = None
    #: The types of objects to which references were lost.
    types: frozenset[str] = frozenset()


class Seen(NamedTuple):
    """A finding of a run."""

    stack: list[str]
    kind: str
    python: list[list[Any]]
    type: str = ""  #: of the object that was lost
    #: The number of the line among those with checks.
    number: int | None = None


class Rerun(NamedTuple):
    """What was seen in a run."""

    errors: list[Seen]
    leaks: list[Seen]
    #: How many lines the test's functions have executed; and those that they call, by the number
    #: of the line that does.
    lines: int
    inner: dict[int, int]
    price: float  #: of a check, in seconds

    def write(self, file: IO[str]) -> None:
        """Write it as JSON."""
        json.dump(self._asdict(), file)
        file.flush()

    @classmethod
    def read(cls, file: IO[str]) -> Rerun | None:
        """Return what was written, None if nothing was."""
        file.seek(0)
        values: dict[str, Any] | None = json.loads(file.read() or "null")
        if values is None:
            return None
        for name in ("errors", "leaks"):
            values[name] = [Seen(*seen) for seen in values[name]]
        values["inner"] = {int(number): count for number, count in values["inner"].items()}
        return cls(**values)


def run_again(monitor: MemcheckMonitor, runs: Runs, test: ItemRun, plan: Plan) -> Rerun | str:
    """Run a test once more, and return what was seen, or why nothing was, in words.

    :param monitor: of this process.
    :param runs: runs a test, in a process that has nothing else to do.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answers:
        try:
            pid = forked(lambda: _Child(monitor, test, plan, runs).run().write(answers))
        except OSError as error:
            return f"the test cannot be run once more in a process of its own: {error}"
        monitor.own_processes.add(pid)
        status = wait(pid, time.monotonic() + _LONGEST)
        monitor.forget_clone(pid)
        return Rerun.read(answers) or (_TOO_LONG if status is None else _DIED)


class _Child:
    """The forked process."""

    def __init__(self, monitor: MemcheckMonitor, test: ItemRun, plan: Plan, runs: Runs) -> None:
        info, functions = monitor.info, monitor.functions
        if info.log_names and info.logs_processes_apart:
            info = info._replace(log=info.log_names.of_fork(os.getpid()))
        self._monitor = MemcheckMonitor(info, frozenset(), functions)
        self._leaks = MemcheckMonitor(info, frozenset({Kind.DEFINITE}), functions)
        self._test = test
        self._plan = plan
        self._runs = runs
        self._errors: list[Seen] = []
        #: By the numbers of the checks: the lines before, and the addresses of what was lost.
        self._checked: dict[int, tuple[tuple[PythonLine, ...], set[str]]] = {}
        #: The addresses of objects, and whether they have more references than anybody knows of.
        self._deferred: dict[int, dict[str, bool]] = {}

    def run(self) -> Rerun:
        """Run the test and return what was seen."""
        # What is found in child processes has no line of Python here.
        client.log_forks(False)
        client.change_option("--trace-children=no")
        detach_output(self._test.item.config)
        # What was lost before is not listed again by the clones' checks.
        client.leak_check()
        # From here on, the collector lists only what the test makes.
        gc.freeze()
        lost_before = {address for _, addresses, _ in self._lost() for address in addresses}
        plan = self._plan
        watch = LineTracer(
            files_of(self._test.item),
            self._errors_occurred,
            self._check if plan.checks else None,
            inside=plan.inside,
        )
        session = self._test.item.session
        # What earlier tests have set up stays as it is, for the process that goes on with it.
        pytest_internals.forget_setups(session)
        watch.start()
        try:
            self._runs(self._test, self._monitor.errors)
        finally:
            watch.stop()
        Garbage(freeze=False).settle_everything()
        start = time.perf_counter()
        lost = self._lost()
        price = time.perf_counter() - start
        leaks = [
            self._seen(finding, kind, address)
            for finding, addresses, kinds in lost
            for address, kind in zip(addresses, kinds, strict=True)
            if address not in lost_before
        ]
        return Rerun(self._errors, leaks, watch.lines, watch.inner, price)

    def _errors_occurred(self, lines: tuple[PythonLine, ...]) -> None:
        for finding in self._monitor.errors("", ""):
            stack = list(finding.stack_of_extension)
            self._errors.append(Seen(stack, finding.kind.name, [list(line) for line in lines]))

    def _check(self, before: tuple[PythonLine, ...], number: int, frames: list[FrameType]) -> None:
        # A line that is executed again is another.
        if number in self._plan.checks and number not in self._checked:
            found = {address for _, addresses, _ in self._lost(frames) for address in addresses}
            self._checked[number] = (before, found)
            self._deferred[number] = unknown_references(frames, self._plan.types)

    def _lost(self, frames: Sequence[FrameType] = ()) -> list[tuple[Finding, list[str], list[str]]]:
        """Return loss records, the addresses of what was lost, and the types of objects."""
        dropped: Counter[int] = Counter()
        clone = Clone(
            _PLACE,
            untracks=True,
            prepare=partial(drop_locals, frames, dropped),
            explains=partial(explain_addresses, dropped=dropped),
        )
        with contextlib.suppress(OSError):
            clone.start(self._leaks, waits=False)
            checked = clone.reap(self._leaks, 0)
            # What is in the log by now is not of the test.
            self._monitor.skip()
            if checked is not None:
                parts = [
                    (finding, [thing.partition(" ") for thing in finding.objects])
                    for finding in checked.records
                ]
                return [
                    (finding, [part[0] for part in named], [part[2] for part in named])
                    for finding, named in parts
                ]
        return []

    def _seen(self, finding: Finding, kind: str, address: str) -> Seen:
        stack = list(finding.stack_of_extension)
        last: tuple[int, tuple[PythonLine, ...]] | None = None
        # The first check from which on it was always there.
        for number in sorted(self._checked, reverse=True):
            before, found = self._checked[number]
            if address not in found and not self._deferred[number].get(address):
                break
            last = number, before
        if last is None:
            return Seen(stack, finding.kind.name, [], kind)
        return Seen(stack, finding.kind.name, [list(line) for line in last[1]], kind, last[0])


def files_of(item: pytest.Item) -> frozenset[str]:
    """Return where the functions of a test and its fixtures are, as code has it."""
    files = {str(item.path), item.location[0]}
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for definitions in fixtures.values():
        for definition in definitions:
            code = getattr(inspect.unwrap(definition.func), "__code__", None)
            # pytest's own, and those of plugins, are not what a test is about.
            if code is not None and (definition.baseid or code.co_filename in files):
                files.add(code.co_filename)
    function = inspect.unwrap(getattr(item, "obj", files_of))
    if code := getattr(function, "__code__", None):
        files.add(code.co_filename)
    return frozenset(files)
