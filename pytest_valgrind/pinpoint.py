"""A test that failed, run once more in a forked process to learn which line of Python did it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import inspect
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import IO, Any, NamedTuple

import pytest
from _pytest.runner import SetupState

from pytest_valgrind import client
from pytest_valgrind.clones import Clone
from pytest_valgrind.evidence import Evidence
from pytest_valgrind.findings import LEAKS, Finding, Kind, PythonLine
from pytest_valgrind.garbage import Garbage
from pytest_valgrind.lost import explain_addresses, type_name
from pytest_valgrind.ran import RanTest
from pytest_valgrind.watch import Watch

# Seconds: that the checks of one run may take, that any run may take, and between looks at it.
_FOR_CHECKS = 8.0
_LONGEST = 120.0
_INTERVAL = 0.05
_FEWEST_CHECKS = 8
#: A place for a clone that nobody else uses.
_PLACE = 2
#: Bytes: enough for a reference count and a type.
_SIZE_OF_HEAD = 16
#: More runs than this do not make the lines any fewer.
_MOST_RUNS = 4

NOT_REPRODUCED = "it did not happen again when the test ran once more"
_AFTER = "it was lost after the last line of the test, by a fixture or the garbage collection"
_HUNG = "the test hung, and was not run once more"
_TOO_LONG = f"the test, run once more line by line, took more than {_LONGEST:.0f} seconds"

#: Runs the test with the evidence of the process that it is called in.
Runs = Callable[[RanTest, Evidence], None]


class _Seen(NamedTuple):
    """A finding of a further run."""

    stack: list[str]
    kind: str
    python: list[list[Any]]
    type: str = ""  #: of the object that was lost
    #: The number of the line among those with checks.
    number: int | None = None


class _Plan(NamedTuple):
    """Where a run is to check for leaks."""

    #: Before which lines; None is for no checks at all.
    checks: tuple[int, ...] = ()
    #: In functions that are called by the line of this number.
    inside: int | None = None
    #: The types of objects to which references were lost.
    types: frozenset[str] = frozenset()


class Pinpoint:
    """Finds the lines of Python for findings.

    :param runs: runs a test, in a process that has nothing else to do.
    """

    def __init__(self, evidence: Evidence, runs: Runs) -> None:
        self._evidence = evidence
        self._runs = runs

    def named(self, test: RanTest, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings with their lines of Python, or with why there are none."""
        if any(finding.kind is Kind.TIMEOUT for finding in findings):
            return [
                finding if finding.kind is Kind.TIMEOUT else replace(finding, python_note=_HUNG)
                for finding in findings
            ]
        first = self._run(test, _Plan())
        if first is None:
            return [replace(finding, python_note=_TOO_LONG) for finding in findings]
        seen = first["errors"]
        if first["leaks"] and any(finding.kind.is_leak for finding in findings):
            seen += self._lines_of_leaks(test, first)
        return [_with_lines(finding, findings, seen) for finding in findings]

    def _lines_of_leaks(self, test: RanTest, first: dict[str, Any]) -> list[_Seen]:
        """Look closer and closer: at the lines of the test, and at those that one calls."""
        leaks: list[_Seen] = first["leaks"]
        lines, price = first["lines"], max(first["price"], 0.01)
        most = max(_FEWEST_CHECKS, int(_FOR_CHECKS / price))
        types = frozenset(leak.type for leak in leaks)
        low, high = 0, lines
        for _ in range(_MOST_RUNS):
            checks = _spread(low, high, most)
            found = self._run(test, _Plan(checks, types=types))
            if found is None or not found["leaks"]:
                return leaks
            leaks = found["leaks"]
            numbers = [leak.number for leak in leaks if leak.number is not None]
            if not numbers or len(checks) > high - low:
                break
            # The first of them; where there are several leaks, the others have to wait.
            high = min(numbers)
            low = max((check for check in checks if check < high), default=low)
        return self._lines_of_callee(test, leaks, first["inner"], most)

    def _lines_of_callee(
        self, test: RanTest, leaks: list[_Seen], inner: dict[str, int], most: int
    ) -> list[_Seen]:
        types = frozenset(leak.type for leak in leaks)
        better = []
        # A check comes before a line, and so tells of the one before.
        for number in sorted({leak.number - 1 for leak in leaks if leak.number}):
            count = inner.get(str(number), 0)
            found = count and self._run(test, _Plan(_spread(0, count, most), number, types))
            if found:
                better += [leak for leak in found["leaks"] if leak.python]
        # A line of a function that the test calls says more than the line that calls it.
        known = [(leak.stack, leak.type) for leak in better]
        return better + [leak for leak in leaks if (leak.stack, leak.type) not in known]

    def _run(self, test: RanTest, plan: _Plan) -> dict[str, Any] | None:
        """Run the test once more, and return what was seen, None if it took too long or died."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as answers:
            sys.stdout.flush()
            sys.stderr.flush()
            client.log_next_fork()
            with warnings.catch_warnings():
                # From 3.12 on, if there are threads: none of theirs has a lock that is needed.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                self._run_in_child(test, plan, answers)
            client.log_forks_as_before()
            self._evidence.own_processes.add(pid)
            _wait(pid)
            self._evidence.forget_clone(pid)
            answers.seek(0)
            answer: dict[str, Any] | None = json.loads(answers.read() or "null")
        if answer is not None:
            for name in ("errors", "leaks"):
                answer[name] = [_Seen(*seen) for seen in answer[name]]
        return answer

    def _run_in_child(self, test: RanTest, plan: _Plan, answers: IO[str]) -> None:
        """Do the work in the forked process, which ends here whatever happens."""
        try:
            # What is found in child processes has no line of Python here.
            client.log_forks(False)
            client.change_option("--trace-children=no")
            _detach_output(test.item.config)
            run = _Run(self._evidence, test, plan, self._runs)
            json.dump(run.result(), answers)
            answers.flush()
        finally:
            os._exit(0)


class _Run:
    """One more run of a test, in a process of its own."""

    def __init__(self, evidence: Evidence, test: RanTest, plan: _Plan, runs: Runs) -> None:
        host, functions = evidence.host, evidence.functions
        if host.log and host.logs_processes_apart:
            own = str(host.log).replace(str(os.getppid()), str(os.getpid()))
            host = host._replace(log=type(host.log)(own))
        self._evidence = Evidence(host, frozenset(), functions)
        self._leaks = Evidence(host, frozenset({Kind.DEFINITE}), functions)
        self._test = test
        self._plan = plan
        self._runs = runs
        self._errors: list[_Seen] = []
        #: By the numbers of the checks: the lines before, and the addresses of what was lost.
        self._checked: dict[int, tuple[tuple[PythonLine, ...], set[str]]] = {}
        #: The addresses of objects, and whether they have more references than anybody knows of.
        self._held: dict[int, dict[str, bool]] = {}

    def result(self) -> dict[str, Any]:
        """Run the test and return what was seen."""
        # What was lost before is not listed again by the clones' checks.
        client.leak_check()
        # From here on, the collector lists only what the test makes.
        gc.freeze()
        lost_before = {address for _, addresses, _ in self._lost() for address in addresses}
        plan = self._plan
        watch = Watch(
            _files(self._test.item),
            self._errors_occurred,
            self._check if plan.checks else None,
            inside=plan.inside,
        )
        session = self._test.item.session
        # What earlier tests have set up stays as it is, for the process that goes on with it.
        vars(session)["_setupstate"] = SetupState()
        watch.start()
        try:
            self._runs(self._test, self._evidence)
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
        return {
            "errors": self._errors,
            "leaks": leaks,
            "lines": watch.lines,
            "inner": watch.inner,
            "price": price,
        }

    def _errors_occurred(self, lines: tuple[PythonLine, ...]) -> None:
        for finding in self._evidence.errors("", ""):
            stack = list(finding.stack_of_extension)
            self._errors.append(_Seen(stack, finding.kind.name, [list(line) for line in lines]))

    def _check(self, before: tuple[PythonLine, ...], number: int, frames: list[FrameType]) -> None:
        # A line that is executed again is another.
        if number in self._plan.checks and number not in self._checked:
            found = {address for _, addresses, _ in self._lost(frames) for address in addresses}
            self._checked[number] = (before, found)
            self._held[number] = _unknown_references(frames, self._plan.types)

    def _lost(self, frames: Sequence[FrameType] = ()) -> list[tuple[Finding, list[str], list[str]]]:
        """Return loss records, the addresses of what was lost, and the types of objects."""
        dropped: Counter[int] = Counter()
        clone = Clone(
            _PLACE,
            untracks=True,
            prepare=partial(_drop_locals, frames, dropped),
            explains=partial(explain_addresses, dropped=dropped),
        )
        with contextlib.suppress(OSError):
            clone.start(self._leaks, waits=False)
            checked = clone.reap(self._leaks, 0)
            # What is in the log by now is not of the test.
            self._evidence.skip()
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

    def _seen(self, finding: Finding, kind: str, address: str) -> _Seen:
        stack = list(finding.stack_of_extension)
        last: tuple[int, tuple[PythonLine, ...]] | None = None
        # The first check from which on it was always there.
        for number in sorted(self._checked, reverse=True):
            before, found = self._checked[number]
            if address not in found and not self._held[number].get(address):
                break
            last = number, before
        if last is None:
            return _Seen(stack, finding.kind.name, [], kind)
        return _Seen(stack, finding.kind.name, [list(line) for line in last[1]], kind, last[0])


def _files(item: pytest.Item) -> frozenset[str]:
    """Return where the functions of a test and its fixtures are, as code has it."""
    files = {str(item.path), item.location[0]}
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for definitions in fixtures.values():
        for definition in definitions:
            code = getattr(inspect.unwrap(definition.func), "__code__", None)
            # pytest's own, and those of plugins, are not what a test is about.
            if code is not None and (definition.baseid or code.co_filename in files):
                files.add(code.co_filename)
    function = inspect.unwrap(getattr(item, "obj", _files))
    if code := getattr(function, "__code__", None):
        files.add(code.co_filename)
    return frozenset(files)


def _drop_locals(frames: Sequence[FrameType], dropped: Counter[int]) -> None:
    """Set the local variables of functions to None, in the clone, so that they hide nothing.

    The objects keep the references: no code of theirs runs.

    :param dropped: counts them by the complements of the objects' addresses: the hash of an
        address, in the counter's table, would pass for a pointer.
    """
    fast = getattr(ctypes.pythonapi, "PyFrame_LocalsToFast", None)
    for frame in frames:
        values = frame.f_locals
        if values is frame.f_globals:
            continue
        for name in list(values):
            value = values[name]
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
            dropped[~id(value)] += 1
            values[name] = None
            del value
        if fast is not None and sys.version_info < (3, 13):
            fast(ctypes.py_object(frame), ctypes.c_int(0))


def _unknown_references(frames: Sequence[FrameType], types: frozenset[str]) -> dict[str, bool]:
    """Return whether objects that the test has made have references of which nobody knows.

    A stale pointer in the frame that used such an object last hides it from a leak check.

    :return: by their addresses, in hexadecimal.
    """
    slots: Counter[int] = Counter()
    for frame in frames:
        for value in frame.f_locals.values():
            if type_name(type(value)) in types:
                slots[id(value)] += 1
            del value
    for thing in gc.get_objects():
        if type_name(type(thing)) in types:
            slots[id(thing)] += 0
    del thing
    found = {}
    for address, count in slots.items():
        counted = client.object_in(address, _SIZE_OF_HEAD)
        if counted is None:
            continue
        references, thing = counted
        found[f"{address:x}"] = references > count + _references_known(thing, without=counted)
    return found


def _references_known(thing: object, without: object) -> int:
    """Return how many references to a thing the collector knows."""
    # No comprehension, in which the thing would have one more; and in a function of its own, whose
    # variables hold nothing when the references to the next thing are counted.
    known = 0
    for referrer in gc.get_referrers(thing):
        if referrer is not without:
            for referent in gc.get_referents(referrer):
                known += referent is thing
    return known


def _with_lines(finding: Finding, findings: Sequence[Finding], seen: list[_Seen]) -> Finding:
    """Return a finding with the lines of what looks most like it."""
    alike = [one for one in seen if (Kind[one.kind] in LEAKS) == finding.kind.is_leak]
    stack = list(finding.stack_of_extension)
    of_type = [one for one in alike if one.type in finding.types] if finding.types else alike
    same = [one for one in of_type if one.stack == stack]
    same = same or [one for one in alike if one.stack == stack]
    same = same or (of_type if finding.types else [])
    same_sort = [other for other in findings if other.kind.is_leak == finding.kind.is_leak]
    if not same and len(same_sort) == 1:
        same = alike
    if not same:
        return replace(finding, python_note=NOT_REPRODUCED)
    with_lines = next((one for one in same if one.python), None)
    if with_lines is None:
        return replace(finding, python_note=_AFTER)
    return replace(finding, python=tuple(PythonLine(*line) for line in with_lines.python))


def _spread(low: int, high: int, most: int) -> tuple[int, ...]:
    """Return numbers from ``low`` to ``high``, all of them if there are no more than ``most``."""
    count = high - low + 1
    if count <= most:
        return tuple(range(low, high + 1))
    return tuple(sorted({low + round(step * (count - 1) / (most - 1)) for step in range(most)}))


def _wait(pid: int) -> None:
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(_INTERVAL)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _detach_output(config: pytest.Config) -> None:
    """Have what the process prints go nowhere, least of all to where its parent captures."""
    # Descriptors that are shared with the parent have their position in common with it.
    descriptors = {1, 2}
    manager = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("in_", "out", "err"):
        file = getattr(getattr(capturing, name, None), "tmpfile", None)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            descriptors.add(file.fileno())  # type: ignore[union-attr]
    for descriptor in descriptors:
        with tempfile.TemporaryFile() as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
