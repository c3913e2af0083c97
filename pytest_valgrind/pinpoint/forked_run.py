"""One more run of a test, in a fork, to see at which line a finding occurs."""

from __future__ import annotations

import gc
import inspect
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import IO, Any, NamedTuple

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.fork import detach_output, forked, wait
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.pinpoint.line_tracer import LineTracer
from pytest_valgrind.pinpoint.local_references import unknown_references
from pytest_valgrind.pinpoint.observer import Lost, Observer

# Seconds that a run may take.
_LONGEST = 120.0
_TOO_LONG = f"the test, run once more line by line, took more than {_LONGEST:.0f} seconds"
_DIED = "the process in which the test ran once more came to no end"

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

    @property
    def key(self) -> tuple[object, ...]:
        """What leaks have in common that cannot be told apart."""
        return (*self.stack, self.type)


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


def run_again(observer: Observer, runs: Runs, test: ItemRun, plan: Plan) -> Rerun | str:
    """Run a test once more, and return what was seen, or why nothing was, in words.

    :param observer: of this process.
    :param runs: runs a test, in a process that has nothing else to do.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answers:
        try:
            pid = forked(lambda: _Child(observer, test, plan, runs).run().write(answers))
        except OSError as error:
            return f"the test cannot be run once more in a process of its own: {error}"
        observer.forked(pid)
        status = wait(pid, time.monotonic() + _LONGEST)
        observer.ended(pid)
        return Rerun.read(answers) or (_TOO_LONG if status is None else _DIED)


class _Child:
    """The forked process."""

    def __init__(self, observer: Observer, test: ItemRun, plan: Plan, runs: Runs) -> None:
        self._observer = observer
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
        observer, plan = self._observer, self._plan
        detach_output(self._test.item.config)
        # From here on, the collector lists only what the test makes.
        gc.freeze()
        observer.begin()
        lost_before = {lost.address for lost in observer.lost()}
        watch = LineTracer(
            files_of(self._test.item),
            observer.count_errors,
            self._errors_occurred,
            self._check if plan.checks else None,
            inside=plan.inside,
        )
        session = self._test.item.session
        # What earlier tests have set up stays as it is, for the process that goes on with it.
        pytest_internals.forget_setups(session)
        watch.start()
        try:
            self._runs(self._test, observer.errors)
        finally:
            watch.stop()
        Garbage(freeze=False).settle_everything()
        start = time.perf_counter()
        lost = observer.lost()
        price = time.perf_counter() - start
        leaks = [self._seen(thing) for thing in lost if thing.address not in lost_before]
        return Rerun(self._errors, leaks, watch.lines, watch.inner, price)

    def _errors_occurred(self, lines: tuple[PythonLine, ...]) -> None:
        for finding in self._observer.errors("", ""):
            stack = self._observer.stack(finding)
            self._errors.append(Seen(stack, finding.kind.name, [list(line) for line in lines]))

    def _check(self, before: tuple[PythonLine, ...], number: int, frames: list[FrameType]) -> None:
        # A line that is executed again is another.
        if number in self._plan.checks and number not in self._checked:
            found = {lost.address for lost in self._observer.lost(frames)}
            self._checked[number] = (before, found)
            self._deferred[number] = unknown_references(frames, self._plan.types)

    def _seen(self, lost: Lost) -> Seen:
        stack, kind = self._observer.stack(lost.finding), lost.finding.kind.name
        last: tuple[int, tuple[PythonLine, ...]] | None = None
        # The first check from which on it was always there.
        for number in sorted(self._checked, reverse=True):
            before, found = self._checked[number]
            if lost.address not in found and not self._deferred[number].get(lost.address):
                break
            last = number, before
        if last is None:
            return Seen(stack, kind, [], lost.type)
        return Seen(stack, kind, [list(line) for line in last[1]], lost.type, last[0])


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
