"""A test that ran and is not judged yet."""

from __future__ import annotations

from collections.abc import Sequence

# By name, as tests replace the functions of the module.
from time import perf_counter, process_time

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.items.deferred_reports import Event
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.markers import KNOWN_LEAK

#: Why nothing more is known of what was lost in a test that hung.
HUNG = "the test hung, and was not run once more"

# The part of all time that counts besides that of the processor.
_WAITING = 0.1


def effort() -> float:
    """Return a clock, in seconds, of what the work of tests amounts to: mostly processor time.

    That is what a leak check costs, and what must be in proportion to it however busy the machine
    is. Time that passes counts a little, too: reports are held back until there is a check.
    """
    return process_time() + _WAITING * perf_counter()


class ItemRun:
    """A test that ran, with its reports held back until its verdict is known.

    :param place: in the order of the tests, from 0.
    """

    def __init__(self, item: pytest.Item, nodeid: str, place: int) -> None:
        self.item = item
        self.nodeid = nodeid  # pytest makes it anew each time
        self.place = place
        self.events: list[Event] = []
        self.findings: list[Finding] = []
        #: Setups and teardowns of fixtures that other tests use as well, in this order.
        self.fixtures: list[FixturePhase] = []
        #: The errors of its first run, in a process that died; None if this is the first.
        self.earlier: tuple[Finding, ...] | None = None
        #: Whether it is the last of its module.
        self.ends_module = False
        #: Whether no other is to follow.
        self.is_last = False
        #: By Ctrl-C, pytest.exit or an internal error.
        self.was_interrupted = False
        #: Seconds by :func:`effort`: when it began, and how long it took.
        self.start = 0.0
        self.seconds = 0.0
        #: Whether any of it ran in this process, and how many others' logs are its.
        self.ran_here = False
        self.children = 0
        #: Tests of its group that ran after it, and may have lost what it made.
        self.suspects: Sequence[ItemRun] = ()
        #: How many threads it started, and whether any still ran at its end.
        self.threads = 0
        self.leaves_threads = False

    @property
    def is_known_to_leak(self) -> bool:
        """Whether a marker says that it leaks."""
        return self.item.get_closest_marker(KNOWN_LEAK) is not None

    @property
    def has_hung(self) -> bool:
        """Whether it ran for too long, so that it had better not run once more."""
        return any(finding.kind is Kind.TIMEOUT for finding in self.findings)

    @property
    def last_place(self) -> int:
        """Its own, or the last of such a phase in it."""
        return self.fixtures[-1].place if self.fixtures else self.place

    def fixture_at(self, place: int) -> FixturePhase | None:
        """Return such a phase by its place."""
        return next((phase for phase in self.fixtures if phase.place == place), None)

    @property
    def is_unchecked(self) -> bool:
        """Whether it ran in a process that was not checked, so that nothing is known about it."""
        return not (self.ran_here or self.children) and bool(self.logged)

    @property
    def logged(self) -> list[pytest.TestReport]:
        """All its reports."""
        return [event.report for event in self.events if event.report]

    @property
    def reports(self) -> list[pytest.TestReport]:
        """The reports that count: those of the last run, if it was repeated."""
        reports = [event.report for event in self.events]
        return [report for report in reports if report and report.outcome in _FINAL]

    @property
    def call(self) -> pytest.TestReport | None:
        """The report of its body, after those of subtests; None if that did not run."""
        reports = (event.report for event in reversed(self.events))
        calls = (report for report in reports if report and report.when == "call")
        return next((report for report in calls if report.outcome in _FINAL), None)

    def log(self) -> None:
        """Call the hooks that were held back."""
        for event in self.events:
            event.hook(**event.arguments)

    def add_report(self) -> pytest.TestReport:
        """Add the report of a call that was interrupted before it had one, and return it."""
        item = self.item
        report = pytest.TestReport(item.nodeid, item.location, {}, "passed", None, when="call")
        hook = item.ihook.pytest_runtest_logreport
        self.events.append(Event(hook, {"report": report}))
        return report


def file_of(item: pytest.Item) -> pytest.File | None:
    """Return the file in which a test is defined."""
    # Not the item's path, which may be that of its data.
    return item.getparent(pytest.File)  # type: ignore[type-abstract]


# pytest-rerunfailures has "rerun" as well, for a run that is repeated.
_FINAL = ("passed", "failed", "skipped")
