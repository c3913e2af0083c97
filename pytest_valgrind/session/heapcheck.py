"""The native heap engine in this process, as sessions use it one after another."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import monotonic, sleep  # by name, as tests replace the functions of the module
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.heap.c_places import placed
from pytest_valgrind.heap.check_backend import HeapCheck
from pytest_valgrind.heap.engine import Engine as HeapEngine
from pytest_valgrind.heap.guards import Guards
from pytest_valgrind.heap.self_check import is_limited_to_c, why_not
from pytest_valgrind.leaks.attribution import Mode, NoCheck
from pytest_valgrind.leaks.cores import cores
from pytest_valgrind.leaks.group_check import GroupCheck
from pytest_valgrind.session.timeouts import Timeouts

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.findings.finding import Finding
    from pytest_valgrind.findings.results import Results
    from pytest_valgrind.heap.second_run import Runs, SecondRuns
    from pytest_valgrind.items.item_numbers import ItemNumbers
    from pytest_valgrind.launching.run_directory import RunDirectory
    from pytest_valgrind.leaks.attribution import LeakAttribution, ProcessState
    from pytest_valgrind.pinpoint.pinpoint import Pinpoint
    from pytest_valgrind.session.engine import LeftOpen, Say
    from pytest_valgrind.settings import Settings

Result = TypeVar("Result")

_NOTHING: tuple[Finding, ...] = ()
# Seconds that a thread may take for it once Python has joined it.
_THREAD_ENDS = 0.05


class Heapcheck:
    """The engine, and what it tells a session.

    :param run_directory: what the launcher has handed over.
    :raises pytest.UsageError: if the engine is not in this process.
    """

    name = "heapcheck"
    spare_seconds = 0.1

    def __init__(self, run_directory: RunDirectory | None) -> None:
        self._run_directory = run_directory
        try:
            self._engine = HeapEngine()
        except RuntimeError as error:
            raise pytest.UsageError(f"--heapcheck: {error}") from None
        self._guards = Guards()
        self.hints: set[str] = set()
        self._second_runs: SecondRuns | None = None
        self._was_tried = False
        #: Why leaks cannot be seen in this process, as a sentence; empty if they can.
        self._blindness = ""
        self._check: HeapCheck | None = None
        self._children: Children | None = None
        # Of the file for the stacks of a crash.
        self._stacks: int | None = None
        # Whether the guards are looked at after each test: it takes as long as there are blocks,
        # and a check in a clone does it as well, for all tests of a group.
        self._looks_at_once = False

    def begin(self, settings: Settings, say: Say) -> Sequence[Finding]:  # noqa: ARG002
        """Get ready for a session; see whether the engine can be trusted here."""
        self._looks_at_once = settings.guards == "full" or settings.leak_check == "off"
        if settings.leak_check != "off" and not self._was_tried:
            self._was_tried = True
            if complaint := why_not(self._engine):
                self._blindness = complaint
            elif is_limited_to_c():
                self.hints.add(
                    "this free-threaded build keeps Python's objects in an allocator of its own, "
                    "so only what C code allocates is checked"
                )
        return self.errors("", "")

    def errors(self, where: str, phase: str) -> Sequence[Finding]:  # noqa: ARG002
        """Return what the guards have seen since the last call."""
        if phase == "gc" and self._looks_at_once and (place := self._engine.place) is not None:
            self._engine.look_at_guards(place)
        events = self._engine.take_events()
        if not events:
            return _NOTHING
        return [replace(found, phase=phase) for found in placed(self._guards.findings(events))]

    def inside(self, place: int, work: Callable[..., Result], *arguments: object) -> Result:
        """Call a function so that what it allocates is the test's at a place in the order."""
        __tracebackhide__ = True
        before = self._engine.place
        self._engine.begin_test(place)
        try:
            return work(*arguments)
        finally:
            self._restore(before)

    def outside(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Call a function so that what it allocates is no test's."""
        __tracebackhide__ = True
        before = self._engine.place
        self._engine.end_test()
        try:
            return work(*arguments)
        finally:
            self._restore(before)

    def _restore(self, place: int | None) -> None:
        if place is None:
            self._engine.end_test()
        else:
            self._engine.begin_test(place)

    def threads_started(self) -> int:
        """Return 0: a block tells by itself whether a thread has made it."""
        return 0

    def threads_alive(self, place: int) -> int:
        """Return how many threads still run that the test at a place has started."""
        # One that was joined comes to its end a moment later.
        end = monotonic() + _THREAD_ENDS
        while (alive := self._engine.threads_of(place)) and monotonic() < end:
            sleep(_THREAD_ENDS / 50)
        return alive

    def header(self, mode: Mode, *, is_verbose: bool) -> Iterator[str]:  # noqa: ARG002
        """Yield what is checked, which is all there is to say."""
        yield f"heapcheck: native heap engine, checking for {mode.description}"

    def choose_check(self, settings: Settings, state: ProcessState, workers: int) -> Mode:
        """Return the leak check that was asked for."""
        if settings.leak_check == "off":
            return Mode(NoCheck(), "heap damage only, no leaks")
        if self._blindness:
            return Mode(NoCheck(), "heap damage only, as leaks cannot be seen here")
        if settings.leak_check == "exact":
            return Mode(
                self.exact_check(settings, state), "heap damage, and leaks after every test"
            )
        backend = self._backend(settings, at_once=cores() < 2, is_crowded=workers >= cores())
        return Mode(GroupCheck(backend, state), "heap damage, and leaks in groups of tests")

    def exact_check(self, settings: Settings, state: ProcessState) -> LeakAttribution:
        """Return a leak check after every test."""
        return GroupCheck(self._backend(settings, at_once=True), state, every_test=True)

    def _backend(self, settings: Settings, *, at_once: bool, is_crowded: bool = False) -> HeapCheck:
        made = HeapCheck(
            self._engine,
            self._guards,
            untracks=settings.references,
            at_once=at_once,
            is_crowded=is_crowded,
        )
        made.hints = self.hints
        self._check = made
        return made

    def timeouts(self, settings: Settings) -> Timeouts:
        """Return what ends tests that run for too long."""
        path = self._run_directory.python_stacks if self._run_directory else None
        return Timeouts(settings.timeout, settings.timeout_factor, self, path)

    def mark(self) -> int:
        """Return 0: there is no log."""
        return 0

    def hang(self, mark: int) -> Finding | None:  # noqa: ARG002
        """Return None: the C stack of a test that hangs is not known."""
        return None

    def descriptors(self, item_numbers: ItemNumbers) -> LeftOpen | None:  # noqa: ARG002
        """Return None: nobody looks at them."""
        return None

    def follow_children(self, settings: Settings) -> Children | None:
        """Have the processes that tests start from here on report, or stop it."""
        from pytest_valgrind.children import follow_natively
        from pytest_valgrind.children.processes import Children
        from pytest_valgrind.children.reports_of_children import ReportsOfChildren

        if not settings.trace_children:
            if self._children:
                follow_natively.stop(self._engine)
            return None
        own = self._run_directory
        reports = follow_natively.follow(self._engine, own and own.directory)
        if self._children is None:
            self._children = Children(ReportsOfChildren(reports), set())
        else:
            self._children.begin()
        return self._children

    def pinpoint(self, run_alone: Runs) -> Pinpoint:
        """Return what finds the lines of Python."""
        from pytest_valgrind.pinpoint.heap_observer import HeapObserver
        from pytest_valgrind.pinpoint.pinpoint import Pinpoint

        return Pinpoint(HeapObserver(self._engine), run_alone)

    def second_runs(
        self, settings: Settings, run_alone: Runs, item_numbers: ItemNumbers
    ) -> SecondRuns | None:
        """Return what runs tests again to see which of them lost what, and where it was made."""
        if not settings.stacks_seconds:
            return None
        from pytest_valgrind.heap.second_run import SecondRuns

        self._second_runs = SecondRuns(
            self._engine, run_alone, lambda: item_numbers.last + 1, settings.stacks_seconds
        )
        return self._second_runs

    def test_begins(self, nodeid: str) -> None:
        """Do nothing: a block's number says which test it is of."""

    def session_begins(self) -> None:
        """Have Python's stack of a crash written where the launcher reads it."""
        if self._run_directory is None:
            return
        if self._stacks is None:
            path = self._run_directory.crash_stacks
            self._stacks = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # pytest's own would print them amid what it has written by then.
        faulthandler.enable(self._stacks, all_threads=True)

    def can_find_origins(self, settings: Settings) -> bool:  # noqa: ARG002
        """Return False: uninitialised values are not seen."""
        return False

    def weaknesses(self, settings: Settings) -> list[str]:  # noqa: ARG002
        """Return what weakens the results of a session, and what to do about it."""
        if self._children:
            self.hints.update(self._children.weaknesses)
        found = sorted(self.hints)
        if missed := self._engine.missed_events():
            found.append(
                f"{plural(missed, 'write or free', 'writes and frees')} not listed: too many"
            )
        if self._second_runs and (number := self._second_runs.left_out):
            found.append(
                f"{plural(number, 'leak')} without the lines of Python, as there was no time left: "
                "--heapcheck-stacks-seconds=N gives more"
            )
        return found

    def look_back(self, settings: Settings, results: Results) -> None:
        """Have it fail the run if leaks cannot be seen, and the user has not left them out."""
        if settings.leak_check != "off":
            unseen = self._check.blindness if self._check else ""
            results.blindness = self._blindness or unseen

    def keep_log(self, results: Results) -> None:
        """Do nothing: there is none."""

    @property
    def kept_log(self) -> str:
        """None, as an empty string."""
        return ""
