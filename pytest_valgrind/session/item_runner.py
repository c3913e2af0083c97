"""The order of work around a test; nothing else knows it."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
from _pytest.runner import runtestprotocol

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Caller, Finding, Origin, PythonLine, apart, merged
from pytest_valgrind.findings.relevance import Scope
from pytest_valgrind.findings.results import Judged, Results, Unexplained
from pytest_valgrind.findings.verdict import MARKERS, Outcome, judge
from pytest_valgrind.items.deferred_reports import DeferredReports
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.items.item_run import ItemRun, effort
from pytest_valgrind.leaks.attribution import LeakAttribution
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.leaks.groups import Unsettled
from pytest_valgrind.leaks.unattributed import Doubts, undecided
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.recovery.journal import Journal, marks_of
from pytest_valgrind.recovery.records import Began
from pytest_valgrind.recovery.second_runs import not_again
from pytest_valgrind.reporting.reports import give, give_to_fixtures

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.pinpoint.pinpoint import Pinpoint
    from pytest_valgrind.settings import Settings

_RULE = "*" * 70

#: Does what pytest does with a test, given the one after it.
RunItem = Callable[[pytest.Item, "pytest.Item | None"], object]


class ItemRunner:
    """Runs tests and judges them.

    :param check: when leaks are looked for.
    :param item_numbers: the tests by the numbers of their frames.
    :param journal: in which it is written down what becomes of them.
    :param children: the processes that tests start, None if they are not checked.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        settings: Settings,
        monitor: MemcheckMonitor,
        garbage: Garbage,
        check: LeakAttribution,
        item_numbers: ItemNumbers,
        journal: Journal,
        children: Children | None = None,
    ) -> None:
        self.results = Results()
        # How much of them is in the journal.
        self._written = self.results.sizes
        self._unsettled_written = 0
        #: Leaks of which it is not known which test lost them.
        self.unsettled: list[Unsettled] = []
        self._children = children
        self._garbage = garbage
        self._settings = settings
        self._monitor = monitor
        self._check = check
        self._item_numbers = item_numbers
        self._first = item_numbers.last + 1
        self._journal = journal
        #: Whether somebody will look where uninitialised values are from.
        self.notes_unexplained = False
        self._scope = Scope(settings.only, all_errors=settings.all_errors)
        self._pinpoint = self._make_pinpoint() if settings.pinpoint else None
        self._deferred: DeferredReports | None = None
        self._running: ItemRun | None = None
        self._fixture: FixturePhase | None = None
        # That tests took so far.
        self._seconds = 0.0
        # Whether this is a fork of the process to which the session belongs.
        self._is_fork = False
        # Whether the session ends with a failure, or with so many.
        self._stops_at_failures = False

    def _make_pinpoint(self) -> Pinpoint:
        from pytest_valgrind.pinpoint.pinpoint import Pinpoint

        return Pinpoint(self._monitor, self.run_alone)

    @property
    def ran(self) -> Sequence[str]:
        """The tests of the session that ran so far."""
        return self._item_numbers.tests(self._first)

    def between(self) -> None:
        """Take the errors since the last test or collector as belonging to neither."""
        self.take_outside(self._monitor.errors("", ""))

    def take_outside(self, found: Sequence[Finding]) -> None:
        """Take errors that belong to no test or collector."""
        if found:
            self._note_unexplained(found)
            self.results.outside.extend(self._own(found))
            self._write_down()

    def collected(self, nodeid: str) -> None:
        """Take the errors raised while a collector was at work."""
        errors = self._monitor.errors(nodeid, "import")
        if errors:
            self._note_unexplained(errors, nodeid)
        if found := self._own(errors):
            if nodeid.endswith(".py"):
                module = Caller(PythonLine(nodeid, 0, "<module>"))
                found = [replace(finding, caller=module) for finding in found]
            self.results.modules.setdefault(nodeid, []).extend(found)
            self._write_down()

    def begin(self, session: pytest.Session) -> None:
        """Get ready for the first test."""
        # Where a test's reports are logged as soon as it ran, its start is before it runs.
        live = self._check.settles_at_once
        option = session.config.option
        self._stops_at_failures = bool(option.maxfail or getattr(option, "stepwise", False))
        self._deferred = DeferredReports(session, self._log_start if live else None)
        self.between()
        if self._children:
            self._children.notice(None)
        with self.results.watch:
            self._check.begin()

    def run(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        protocol: RunItem,
        earlier: tuple[Finding, ...] | None = None,
    ) -> None:
        """Run a test: setup, call, teardown and garbage collection.

        Its reports are logged when its leaks are known; those of earlier tests perhaps now.

        :param earlier: the errors of its first run, in a process that died; None if this is the
            first.
        """
        test = self._enter(item, nextitem)
        test.earlier = earlier
        try:
            self._run(test, nextitem, protocol, self._check)
        finally:
            if self._is_fork:
                _log(test)
            else:
                # An interrupted test as well: what was found by then is reported in the end.
                self._settle(test)

    def run_again(self, doubts: Doubts, protocol: RunItem, check: LeakAttribution) -> None:
        """Run tests once more, each with its own leak check; report what is in doubt."""
        hidden = self.results.hidden
        known = {
            (judged.nodeid, finding.stack_of_extension)
            for judged in self.results.judged
            for finding in judged.findings
        }
        with self.results.watch:
            check.begin()
        tests = doubts.tests
        for before, after in zip(tests, [*tests[1:], None], strict=True):
            if not doubts.concern(before):
                continue
            nextitem = after.item if after else None
            test = self._enter(before.item, nextitem)
            self._run(test, nextitem, partial(_after_teardown, protocol), check)
            with self.results.watch:
                settled = check.settled()
            for test in settled:
                test.findings = [
                    finding
                    for finding in test.findings
                    if finding.kind.is_leak
                    and doubts.answered_by(test.nodeid, finding)
                    and (test.nodeid, finding.stack_of_extension) not in known
                ]
                if test.findings:
                    self._conclude([test])
        self.results.checks += check.checks
        self.results.hidden = hidden  # each test once

    def nearer(self, work: Callable[..., object], *arguments: object) -> object:
        """Call a test's function in a frame of its own, with few of pytest's in between.

        The stack of an allocation must reach down to such a frame, and has a limit.
        """
        __tracebackhide__ = True
        if self._running is None:
            return work(*arguments)
        self._running.ran_here = True
        place = self._fixture.place if self._fixture else self._running.place
        return client.inside_test(place, work, *arguments)

    def in_fixture(
        self, phase: FixturePhase, work: Callable[..., object], *arguments: object
    ) -> object:
        """Set up a fixture that several tests share, or run a finalizer of it.

        It has a place of its own in the order, so that stacks tell what it allocates from what
        the test does at whose beginning or end it runs.
        """
        __tracebackhide__ = True
        test = self._running
        if test is None:  # the session was interrupted
            return work(*arguments)
        is_setup = phase.setup is None
        # A finalizer runs in the set-up of the next test where that has another parameter.
        when = "setup" if is_setup or not test.logged else "teardown"
        self.phase_ended(when)
        # Each finalizer is a phase of its own.
        phase = phase if is_setup else replace(phase)
        phase.place, phase.when = self._item_numbers.enter(phase.words), when
        test.fixtures.append(phase)
        outer, self._fixture = self._fixture, phase
        try:
            return client.inside_test(phase.place, work, *arguments)
        finally:
            self.phase_ended(when)
            self._fixture = outer

    def reported(self, phase: str) -> None:
        """Take the end of a phase of the running test that a report is made of in this process."""
        if self._running is not None:
            self._running.ran_here = True
            self.phase_ended(phase)

    def phase_ended(self, phase: str) -> None:
        """Take the errors of setup, call or teardown."""
        if self._running is not None:
            found = self._monitor.errors(self._running.nodeid, phase)
            if found and self._fixture:
                found = [replace(error, fixture=self._fixture.words) for error in found]
            if found:
                self._running.findings.extend(found)

    def fixture_was_set_up(self, function: Callable[..., object]) -> None:
        """Take the errors of a fixture's function."""
        if self._running is not None:
            found = self._monitor.errors(self._running.nodeid, "setup")
            if found:
                caller = _function(function, self._running.item)
                self._running.findings.extend(replace(error, caller=caller) for error in found)

    def add(self, finding: Finding) -> None:
        """Take what was found in the running test by others."""
        if self._running is not None:
            self._running.findings.append(finding)

    def settle(self) -> None:
        """Judge all tests that ran so far."""
        with self.results.watch:
            settled = self._check.settle_all()
        self._count(settled)
        self._conclude(settled)

    def finish(self) -> None:
        """Do what is left to do after the last test."""
        self.settle()
        self.between()
        self._finish_children()
        self.results.outside.extend(self._own(self._check.outside))
        self.unsettled.extend(lost for lost in self._check.unsettled if self._own([lost.finding]))
        self.results.checks += self._check.checks
        self.results.groups += self._check.groups

    def take_left_open(
        self, session: pytest.Session, descriptors: Iterable[tuple[str, Finding]]
    ) -> None:
        """Take the descriptors that tests have left open.

        :param descriptors: each with the name of its test.
        """
        left: dict[str, list[Finding]] = {}
        for nodeid, found in descriptors:
            left.setdefault(nodeid, []).extend(self._own([found]))
        if left:
            items = {item.nodeid: item for item in session.items}
            for nodeid, findings in left.items():
                self._judge_late(nodeid, items[nodeid], findings)

    def _judge_late(self, nodeid: str, item: pytest.Item, findings: Iterable[Finding]) -> None:
        """Judge a test by what came to be known when its reports had been logged."""
        if found := merged(findings):
            judged = Judged(nodeid, judge(found, item.get_closest_marker, completed=False), found)
            self.results.judged.append(judged)
            self.results.late.append(judged)

    def forked(self) -> None:
        """Leave all that is the parent's alone: this is a fork, in which a test may go on."""
        self._is_fork = True
        self._running = None

    def _settle(self, test: ItemRun) -> None:
        """Conclude the tests that can be, after one that ran."""
        with self.results.watch:
            at_once = self._stops_at_failures and self._fails_anyway(test)
            settled = self._check.settle_all() if at_once else self._check.settled()
        self._count(settled)
        self._conclude(settled)

    def _enter(self, item: pytest.Item, nextitem: pytest.Item | None) -> ItemRun:
        """Return a test that is about to run."""
        nodeid = item.nodeid
        test = ItemRun(item, nodeid, self._item_numbers.enter(nodeid, item.location))
        test.is_last = nextitem is None
        test.ends_module = nextitem is None or _file(nextitem) is not _file(item)
        return test

    def _run(
        self,
        test: ItemRun,
        nextitem: pytest.Item | None,
        protocol: RunItem,
        check: LeakAttribution,
    ) -> None:
        assert self._deferred is not None
        nodeid = test.nodeid
        if self._journal.is_read:
            self._journal.write(Began(test.place, nodeid, test.item.location, test.earlier))
        # The last thing before the test: what was freed since would be handed out in it.
        with self.results.watch:
            check.before()
        self.between()
        client.print_to_log(f"\n{_RULE}\n{nodeid}\n{_RULE}")
        threads = client.threads_started()
        self._running = test
        self._deferred.hold(test.events)
        test.start = effort()
        try:
            client.inside_test(test.place, self._run_and_settle, test, nextitem, protocol, check)
        except BaseException:
            test.was_interrupted = True
            self.phase_ended("interrupted")
            raise
        finally:
            test.seconds = effort() - test.start
            self._seconds += test.seconds
            test.threads = client.threads_started() - threads
            test.leaves_threads = client.threads_alive() > 0
            self._deferred.release()
            self._running = None
            if not self._is_fork:
                self._take(test, check)

    def _take(self, test: ItemRun, check: LeakAttribution) -> None:
        """Take a test that ran."""
        if self._children:
            self._children.notice(test)
            # Now, so that it is in the journal if the process dies before the test is judged.
            test.findings.extend(self._children.findings_of_ended(test))
        if test.earlier:
            test.findings.extend(not_again(test.earlier, test.findings))
        check.add(test)
        self._journal.ran(test, test.item.config)

    def _run_and_settle(
        self,
        test: ItemRun,
        nextitem: pytest.Item | None,
        protocol: RunItem,
        check: LeakAttribution,
    ) -> None:
        protocol(test.item, nextitem)
        if self._is_fork:
            return
        with self.results.watch:
            test.seconds = effort() - test.start
            if check.may_follow(test) or (
                test.ends_module and self._garbage.may_settle_everything(self._seconds)
            ):
                self._garbage.settle_everything()
            else:
                self._garbage.settle()
        self.phase_ended("gc")

    def _log_start(self, log: Callable[[], object]) -> None:
        client.outside_tests(log)
        # What the hook has freed would carry its stack into the test.
        self._garbage.empty_free_lists()
        self.between()

    def _fails_anyway(self, test: ItemRun) -> bool:
        """Whether a test that ran will be reported as failed, whatever it turns out to leak."""
        failed = [report for report in test.reports if report.failed]
        if any(report.when != "call" for report in failed):
            return True
        if failed and not self._settings.xfail_failures:
            return True
        found = [finding for finding in test.findings if self._scope.is_own(finding)]
        marker = test.item.get_closest_marker
        return bool(found) and judge(found, marker, completed=False).outcome is Outcome.FAILED

    def _count(self, settled: Iterable[ItemRun]) -> None:
        """Count tests by how far they got, before their reports are changed."""
        for test in settled:
            if test.is_unchecked:
                self.results.unchecked.append(test.nodeid)
            elif (call := test.call) and (not call.skipped or hasattr(call, "wasxfail")):
                self.results.tests += 1
                self.results.completed += call.passed

    def _conclude(self, settled: Iterable[ItemRun]) -> None:
        settled = list(settled)
        if not settled:
            return
        # All of them first: a hook that logs may raise an exception.
        changed = [test for test in settled if self._judge(test)]
        for test in settled:
            client.outside_tests(_log, test)
        self._write_down(settled, changed)

    def _write_down(self, settled: Sequence[ItemRun] = (), changed: Sequence[ItemRun] = ()) -> None:
        """Have the parent know what is known by now, even if this process dies."""
        news = self.results.since(self._written)
        self._written = self.results.sizes
        unsettled = self._check.unsettled
        if len(unsettled) > self._unsettled_written:
            new = unsettled[self._unsettled_written :]
            self._unsettled_written = len(unsettled)
            news.undecided = undecided(lost for lost in new if self._scope.is_own(lost.finding))
        self._journal.settled(settled, changed, news)

    def _finish_children(self) -> None:
        """Take what was found in child processes that belong to no test, or outlived theirs."""
        children = self._children
        if children is None:
            return
        children.notice(None)
        self.results.outside.extend(self._own(children.findings(None)))
        for test, late in children.finish():
            findings = [self._named(found, test) for found in self._own(late)]
            self._judge_late(test.nodeid, test.item, findings)
        self.results.children = children.count
        self.results.noise.extend(children.noise)
        self.results.of_system.extend(children.of_system)

    def _judge(self, test: ItemRun) -> bool:
        """Have a test's reports say what valgrind says; return whether they may have changed."""
        if self._children:
            test.findings.extend(self._children.findings(test))
        reports = test.reports
        marked = any(mark.name in MARKERS for mark in test.item.iter_markers())
        if not (test.findings or marked) and all(report.passed for report in reports):
            return False
        findings = [self._named(found, test) for found in self._own(test.findings)]
        findings, of_fixtures = apart(merged(findings))
        marker = test.item.get_closest_marker
        shared = [
            Judged(test.nodeid, judge(found, marker, completed=False), found, in_fixtures=True)
            for found in of_fixtures.values()
        ]
        completed = any(report.when == "call" and report.passed for report in reports)
        completed = completed and not (self._children and self._children.has_living(test))
        # An error of its own fails it, or is known, whatever else there is.
        has_error = any(finding.kind.is_counted for finding in findings)
        if not has_error and self._note_unexplained(
            test.findings, test.nodeid, test.item, completed=completed
        ):
            completed = False  # whether a known error occurred is not known yet
        # A known error may be a descriptor that is open at the end.
        completed = completed and not self._monitor.info.tracks_descriptors
        verdict = judge(
            findings,
            marker,
            checked_for_leaks=self._settings.memcheck,
            completed=completed,
            strict=self._settings.strict,
            used={name for judged in shared for name in judged.verdict.used_markers},
        )
        if self._pinpoint and verdict.outcome is Outcome.FAILED and findings:
            # What a child process did is not to be seen in this one.
            of_children = [found for found in findings if found.process]
            findings = [found for found in findings if not found.process]
            findings = [*(findings and self._pinpoint.named(test, findings)), *of_children]
        if findings or verdict.unused_markers:
            self.results.judged.append(Judged(test.nodeid, verdict, findings))
        self.results.judged.extend(shared)
        has_call = any(report.when == "call" for report in reports)
        if (findings or shared) and not has_call and (test.was_interrupted or not reports):
            reports.append(test.add_report())
        if reports and give(
            verdict, findings, reports, xfail_failures=self._settings.xfail_failures
        ):
            self.results.hidden += 1
        for judged in shared:
            give_to_fixtures(judged.verdict, judged.findings, reports)
        return True

    def run_alone(self, test: ItemRun, monitor: MemcheckMonitor) -> None:
        """Run a test once more in a forked process, which is to end after that.

        :param monitor: of that process.
        """
        self._monitor = monitor
        self._running = test
        # Only the test is torn down, not what it shares with others.
        after = cast(pytest.Item, test.item.parent)
        run = partial(runtestprotocol, test.item, log=False, nextitem=after)
        client.inside_test(test.place, run)

    def _named(self, finding: Finding, test: ItemRun) -> Finding:
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
            return _function_of(next(phases), test.item)
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
            return _function_of(phase, test.item)
        function = self._item_numbers.function(place)
        return Caller(function, is_test=True) if function else None

    def _where(self, finding: Finding, origin: Origin | None, test: ItemRun) -> str:
        if origin is None:
            return ""
        if origin.number is None:
            return ", between two tests"
        name = self._item_numbers.name(self._item_numbers.place(origin.number, test.last_place))
        return "" if name == (finding.fixture or test.nodeid) else f", in {name}"

    def _note_unexplained(
        self,
        findings: Iterable[Finding],
        nodeid: str = "",
        item: pytest.Item | None = None,
        *,
        completed: bool = False,
    ) -> bool:
        """Note what looks like noise, and may be an extension's; return whether there is any.

        :param nodeid: of a test or of a module that was imported.
        :param item: the test.
        """
        if not self.notes_unexplained:
            return False
        found = tuple(finding for finding in findings if finding.is_unexplained)
        if found and item is not None:
            noted = Unexplained(nodeid, found, item.location, marks_of(item), completed)
            self.results.unexplained.append(noted)
        elif found:
            self.results.unexplained.append(Unexplained(nodeid, found))
        return bool(found)

    def _own(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those that are the user's concern; keep the others for the summary."""
        return self.results.sorted_out(findings, self._scope)


def _function_of(phase: FixturePhase, item: pytest.Item) -> Caller | None:
    return _function(phase.function, item) if phase.function else None


def _function(function: Callable[..., object], item: pytest.Item) -> Caller | None:
    """Return where a fixture's function is."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    path = os.path.relpath(code.co_filename, item.config.rootpath)
    path = code.co_filename if path.startswith("..") else path
    return Caller(PythonLine(path, code.co_firstlineno, code.co_name))


def _file(item: pytest.Item) -> pytest.File | None:
    # Not the item's path, which may be that of its data.
    return item.getparent(pytest.File)  # type: ignore[type-abstract]


def _after_teardown(protocol: RunItem, item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Run a test where the one before was torn down as if another would follow."""
    # What a fixture raises in the end was reported when the tests ran first.
    with contextlib.suppress(Exception):
        item.session._setupstate.teardown_exact(item)
    return protocol(item, nextitem)


def _log(test: ItemRun) -> None:
    for event in test.events:
        event.hook(**event.arguments)
