"""Runs one item after the other: check, protocol, garbage collection, conclusions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.items.deferred_reports import DeferredReports
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.items.item_run import ItemRun, effort, file_of
from pytest_valgrind.leaks.attribution import LeakAttribution, ProcessState
from pytest_valgrind.leaks.groups import Unsettled
from pytest_valgrind.leaks.unattributed import Doubts
from pytest_valgrind.recovery.records import Began
from pytest_valgrind.recovery.second_runs import not_again
from pytest_valgrind.session.conclusions import Conclusions
from pytest_valgrind.session.stack_names import caller_of

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.session.engine import Engine

#: The errors since the last call: what they belong to, and the phase of the test.
ErrorsOf = Callable[[str, str], Sequence[Finding]]
#: Does what pytest does with a test, given the one after it.
RunItem = Callable[[pytest.Item, "pytest.Item | None"], object]


class ItemRunner:
    """Runs tests one by one, below the frames that bear their numbers.

    :param state: what all leak checks of the process share.
    :param check: when leaks are looked for.
    :param conclusions: takes what was found.
    :param children: the processes that tests start, None if they are not checked.
    """

    def __init__(
        self,
        engine: Engine,
        state: ProcessState,
        check: LeakAttribution,
        conclusions: Conclusions,
        children: Children | None = None,
    ) -> None:
        self._engine = engine
        self._errors = engine.errors
        self._garbage = state.garbage
        self._item_numbers = state.item_numbers
        self._first = state.item_numbers.last + 1
        self._check = check
        self._conclusions = conclusions
        self._judge = conclusions.judge
        self.results = conclusions.results
        self._journal = conclusions.journal
        self._children = children
        #: Leaks of which it is not known which test lost them.
        self.unsettled: list[Unsettled] = []
        self._deferred: DeferredReports | None = None
        self._running: ItemRun | None = None
        self._fixture: FixturePhase | None = None
        # That tests took so far.
        self._seconds = 0.0
        # Whether this is a fork of the process to which the session belongs.
        self._is_fork = False
        # Whether the session ends with a failure, or with so many.
        self._stops_at_failures = False

    @property
    def ran(self) -> Sequence[str]:
        """The tests of the session that ran so far."""
        return self._item_numbers.tests(self._first)

    def between(self) -> None:
        """Take the errors since the last test or collector as belonging to neither."""
        self._conclusions.take_outside(self._errors("", ""))

    def collected(self, nodeid: str) -> None:
        """Take the errors raised while a collector was at work."""
        self._conclusions.take_import(nodeid, self._errors(nodeid, "import"))

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
                test.log()
            else:
                # An interrupted test as well: what was found by then is reported in the end.
                self._settle(test)
                self._check.after()

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
            self._run(test, nextitem, partial(pytest_internals.run_after_teardown, protocol), check)
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
                    self._conclusions.conclude([test])
        self.results.checks += check.checks
        self.results.hidden = hidden  # each test once

    def nearer(self, work: Callable[..., object], *arguments: object) -> object:
        """Call a test's function in a frame of its own, with few pytest frames in between.

        The stack of an allocation must reach down to such a frame, and has a limit.
        """
        __tracebackhide__ = True
        if self._running is None:
            return work(*arguments)
        self._running.ran_here = True
        place = self._fixture.place if self._fixture else self._running.place
        return self._engine.inside(place, work, *arguments)

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
        # A finalizer runs in the setup of the next test where that has another parameter.
        when = "setup" if is_setup or not test.logged else "teardown"
        self.phase_ended(when)
        # Each finalizer is a phase of its own.
        phase = phase if is_setup else replace(phase)
        phase.place, phase.when = self._item_numbers.enter(phase.words), when
        test.fixtures.append(phase)
        outer, self._fixture = self._fixture, phase
        try:
            return self._engine.inside(phase.place, work, *arguments)
        finally:
            self._garbage.empty_free_lists()  # what a test makes of them would be the fixture's
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
            found = self._errors(self._running.nodeid, phase)
            if found and self._fixture:
                found = [replace(error, fixture=self._fixture.words) for error in found]
            if found:
                self._running.findings.extend(found)

    def fixture_was_set_up(self, function: Callable[..., object]) -> None:
        """Take the errors of a fixture's function."""
        if self._running is not None:
            found = self._errors(self._running.nodeid, "setup")
            if found:
                caller = caller_of(function, self._running.item)
                self._running.findings.extend(replace(error, caller=caller) for error in found)

    def add(self, finding: Finding) -> None:
        """Take what was found in the running test by others."""
        if self._running is not None:
            self._running.findings.append(finding)

    def settle(self) -> None:
        """Judge all tests that ran so far."""
        with self.results.watch:
            settled = self._check.settle_all()
        self._conclusions.count(settled)
        self._conclusions.conclude(settled)

    def finish(self) -> None:
        """Do what is left to do after the last test."""
        self.settle()
        self.between()
        if self._children:
            self._conclusions.finish_children(self._children)
        self.results.outside.extend(self._judge.route(self._check.outside))
        self.unsettled.extend(
            lost for lost in self._check.unsettled if self._judge.route([lost.finding])
        )
        self.results.checks += self._check.checks
        self.results.groups += self._check.groups

    def forked(self) -> None:
        """Leave all that is the parent's alone: this is a fork, in which a test may go on."""
        self._is_fork = True
        self._running = None

    def _settle(self, test: ItemRun) -> None:
        """Conclude the tests that can be, after one that ran."""
        with self.results.watch:
            at_once = self._stops_at_failures and self._judge.fails_anyway(test)
            settled = self._check.settle_all() if at_once else self._check.settled()
        self._conclusions.count(settled)
        self._conclusions.conclude(settled)

    def _enter(self, item: pytest.Item, nextitem: pytest.Item | None) -> ItemRun:
        """Return a test that is about to run."""
        test = ItemRun(item, item.nodeid, self._item_numbers.enter(item.nodeid, item.location))
        test.is_last = nextitem is None
        test.ends_module = nextitem is None or file_of(nextitem) is not file_of(item)
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
        self._engine.test_begins(nodeid)
        threads = self._engine.threads_started()
        self._running = test
        self._deferred.hold(test.events)
        test.start = effort()
        try:
            self._engine.inside(test.place, self._run_and_settle, test, nextitem, protocol, check)
        except BaseException:
            test.was_interrupted = True
            self.phase_ended("interrupted")
            raise
        finally:
            test.seconds = effort() - test.start
            self._seconds += test.seconds
            test.threads = self._engine.threads_started() - threads
            test.leaves_threads = self._engine.threads_alive(test.place) > 0
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
            if check.may_follow(test):
                self._garbage.settle_everything(thoroughly=True)
            elif test.ends_module and self._garbage.may_settle_everything(self._seconds):
                self._garbage.settle_everything()
            else:
                self._garbage.settle()
        self.phase_ended("gc")

    def _log_start(self, log: Callable[[], object]) -> None:
        self._engine.outside(log)
        # What the hook has freed would carry its stack into the test.
        self._garbage.empty_free_lists()
        self.between()

    def run_alone(self, test: ItemRun, errors: ErrorsOf) -> None:
        """Run a test once more in a forked process, which is to end after that.

        :param errors: as the engine has them in that process.
        """
        self._errors = errors
        self._running = test
        # Only the test is torn down, not what it shares with others.
        after = cast(pytest.Item, test.item.parent)
        run = partial(pytest_internals.run_phases, test.item, after)
        self._engine.inside(test.place, run)
