"""What a process under valgrind has left behind: which tests ran, what is known, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.finding import merged, plural
from pytest_valgrind.findings.results import Judged, Results
from pytest_valgrind.findings.stack import Caller, PythonLine
from pytest_valgrind.findings.verdict import crashed, judge
from pytest_valgrind.items.item_numbers import Location
from pytest_valgrind.recovery.journal import has_failed, unpacked
from pytest_valgrind.recovery.journal_end import Finished
from pytest_valgrind.recovery.records import (
    Began,
    Collected,
    Collecting,
    Covered,
    Ended,
    Interrupted,
    Packed,
    Passed,
    Ran,
    Settled,
)
from pytest_valgrind.recovery.second_runs import SecondRun, carried, not_again
from pytest_valgrind.reporting.reports import give, named

if TYPE_CHECKING:
    from pytest_valgrind.findings.finding import Finding
    from pytest_valgrind.recovery.records import Record
    from pytest_valgrind.settings import Settings

_UNCHECKED = "Not checked for leaks: the process died before."


class ProcessHistory:
    """What the journal of a process says.

    :param records: of the journal.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        #: Those that were to run in the last session; of an xdist worker, all that it knows.
        self.collected: tuple[tuple[str, Location], ...] = ()
        #: How many were to run in the sessions before, and how many of them began.
        self._collected_before = 0
        self._began_before = 0
        #: The file or directory that was imported last.
        self.collecting = ""
        #: The tests that began, by their places in the order.
        self.began: dict[int, Began] = {}
        #: Their reports, by the same.
        self.reports: dict[int, tuple[Passed | Packed, ...]] = {}
        self._ran: dict[int, Ran] = {}
        #: Verdicts on tests that the process did not come to judge.
        self._late: dict[int, Judged] = {}
        #: Places of those that were judged.
        self.settled: set[int] = set()
        #: Places of those that ran again in a later process, and count there.
        self.replaced: set[int] = set()
        #: Place of the last test whose coverage was saved, None if none ever was.
        self.covered: int | None = None
        self.results = Results()
        self._results_before = Results()
        self.hints: tuple[str, ...] = ()
        #: Valgrind's log, empty if nobody needs to look at it.
        self.log = ""
        #: Whether the last session came to its end, and whether the interpreter did.
        self.has_ended = False
        self.has_finished = False
        self.was_interrupted = False
        self.crash: Crash | None = None
        for record in records:
            self._take(record)

    @property
    def running(self) -> Began | None:
        """The test that ran last, if it never came to its end."""
        if not self.began:
            return None
        last = max(self.began)
        return None if last in self.reports else self.began[last]

    @property
    def last(self) -> Began | None:
        """The test that began last in the last session."""
        began = self._began_in_session
        return began[-1] if began else None

    @property
    def unsettled(self) -> list[int]:
        """The places of the tests that ran, and were not checked for leaks any more."""
        return sorted(self.reports.keys() - self.settled - self.replaced)

    @property
    def unchecked(self) -> list[str]:
        """The same tests by name."""
        return [self.began[place].nodeid for place in self.unsettled]

    @property
    def path(self) -> str:
        """The file with which it had to do last, empty if it had not begun with any."""
        nodeid = self.last.nodeid if self.last else self.collecting
        return nodeid.partition("::")[0]

    def errors_of(self, place: int) -> tuple[Finding, ...]:
        """Return the errors of a test that ran."""
        return self._ran[place].findings

    def judge(self, settings: Settings) -> None:
        """Judge the tests that the process did not come to judge, by the errors in them."""
        scope = settings.scope
        for place in self.unsettled:
            ran = self._ran[place]
            nodeid = self.began[place].nodeid
            marks = {mark.name: mark for mark in ran.marks}
            own = merged(self.results.sorted_out(ran.findings, scope, nodeid))
            if findings := settings.known_before.marked(nodeid, own):
                verdict = judge(findings, marks.get, completed=False, label=settings.label)
                test = Caller(PythonLine.of_test(self.began[place].location), is_test=True)
                findings = [replace(found, caller=found.caller or test) for found in findings]
                judged = Judged(nodeid, verdict, findings)
                self._late[place] = judged
                self.results.judged.append(judged)

    def reports_of(
        self, place: int, config: pytest.Config, settings: Settings
    ) -> list[pytest.TestReport]:
        """Return the reports of a test, with a note if it was not checked for leaks."""
        test = self.began[place]
        packed = self.reports.get(place, ())
        reports = list(unpacked(packed, test.nodeid, test.location, config))
        if reports and (late := self._late.get(place)):
            give(late.verdict, late.findings, reports, xfail_failures=settings.xfail_failures)
        if place not in self.settled:
            for made in reports:
                made.sections.append((settings.name, _UNCHECKED))
        return reports

    @property
    def count(self) -> int:
        """How many tests were to run in all sessions."""
        return self._collected_before + len(self.collected)

    @property
    def _began_in_session(self) -> list[Began]:
        return list(self.began.values())[self._began_before :]

    @property
    def not_run(self) -> list[str]:
        """The tests of the last session that did not begin."""
        began = Counter(test.nodeid for test in self._began_in_session if not test.is_second)
        rest = []
        for nodeid, _ in self.collected:
            began[nodeid] -= 1
            if began[nodeid] < 0:
                rest.append(nodeid)
        return rest

    @property
    def crash_message(self) -> str:
        """How and when the process died, in a few sentences."""
        assert self.crash
        process = "The process under valgrind" if self.crash.log else "The process"
        was = "was " if self.crash.hung else ""
        sentences = [f"{process} {was}{self.crash.words}.", self.where]
        return " ".join([*sentences, *filter(None, [self.crash.advice])])

    @property
    def where(self) -> str:
        """When it was that the process died, as a sentence."""
        if running := self.running:
            again = ", which ran again to be checked for leaks" if running.is_second else ""
            return f"It happened in {running.nodeid}{again}."
        if self.has_ended:
            return "It happened after the last test, when the process came to its end."
        if self.last:
            return f"It happened after {self.last.nodeid}, and before the next test."
        if self.collected:
            return "It happened before the first test."
        if self.collecting:
            return f"It happened while {self.collecting} was collected."
        return "It happened before any test was collected."

    def _take(self, record: Record) -> None:
        if isinstance(record, Began):
            self.began[record.place] = record
        elif isinstance(record, Ran):
            self.reports[record.place] = record.reports
            self._ran[record.place] = record
        elif isinstance(record, Settled):
            self.settled.update(record.places)
            self.reports.update(record.reports)
            self.results.add(record.news)
        elif isinstance(record, Covered):
            self.covered = record.place
        elif isinstance(record, Collecting):
            self._begin_session()
            self.collecting = record.nodeid
        elif isinstance(record, Collected):
            self._begin_session()
            self.collected = record.tests
        elif isinstance(record, Interrupted):
            self.was_interrupted = True
        elif isinstance(record, Ended):
            self.results = _sum(self._results_before, record.results)
            self.results.unused_suppressions = record.results.unused_suppressions
            self.hints = tuple(dict.fromkeys([*self.hints, *record.hints]))
            self.log = record.log
            self.has_ended = True
        elif isinstance(record, Finished):
            self.has_finished = True
        else:
            self.record_crash(record)

    def _begin_session(self) -> None:
        """Begin another session if one has ended: several may run in a process."""
        if self.has_ended:
            self.has_ended = False
            self._collected_before += len(self.collected)
            self._began_before = len(self.began)
            self._results_before = _sum(self.results)
            self.collected = ()

    def record_crash(self, crash: Crash) -> None:
        """Take it that the process has died."""
        running = self.running
        if running and running.earlier:
            errors = not_again(running.earlier, crash.findings)
            crash = crash._replace(findings=(*errors, *crash.findings))
        self.crash = crash
        self.log = crash.log
        nodeid = running.nodeid if running else "the process"
        verdict = crashed(crash.words, hung=crash.hung, label=crash.label)
        self.results.judged.append(Judged(nodeid, verdict, list(crash.findings)))


def failures(histories: Sequence[ProcessHistory]) -> int:
    """Return how many tests have failed so far, as far as is known, and how often one died."""
    reports = (one for history in histories for one in history.reports.values())
    failed = sum(has_failed(one) for one in reports)
    return failed + sum(history.crash is not None for history in histories)


def begun(histories: Iterable[ProcessHistory]) -> list[str]:
    """Return the tests that began, each as often as it is there."""
    tests = (test for history in histories for test in history.began.values())
    return [test.nodeid for test in tests if not test.is_second]


def to_run_again(histories: Iterable[ProcessHistory]) -> list[SecondRun]:
    """Return the tests of which it is not known what they leaked, and which ran only once."""
    return [
        SecondRun(history.began[place].nodeid, carried(history.errors_of(place)))
        for history in histories
        for place in history.unsettled
        if not history.began[place].is_second
    ]


def left_to_do(histories: Sequence[ProcessHistory]) -> str:
    """Return in words what another process has to do, nothing if all is done."""
    parts = []
    if not_run := histories[-1].not_run:
        parts.append(f"what is left, {plural(len(not_run), 'test')}")
    if again := to_run_again(histories):
        parts.append(f"{plural(len(again), 'test')} again, to check for leaks")
    return ", and ".join(parts)


def replace_first_runs(histories: Iterable[ProcessHistory], later: ProcessHistory) -> None:
    """Have the tests that a later process ran again count there, and there only."""
    again = Counter(test.nodeid for test in later.began.values() if test.is_second)
    for history in histories:
        for place in history.unsettled:
            nodeid = history.began[place].nodeid
            if again[nodeid] > 0:
                again[nodeid] -= 1
                history.replaced.add(place)


def _sum(*results: Results) -> Results:
    total = Results()
    for each in results:
        total.add(each)
    return total


def not_checked(histories: Iterable[ProcessHistory]) -> Iterator[str]:
    """Yield the line of a summary that names tests whose leaks are not known."""
    if names := [name for history in histories for name in history.unchecked]:
        yield f"{plural(len(names), 'test')} not checked for leaks: {named(names)}"
