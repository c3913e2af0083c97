"""The active checker: pytest's hooks in a process under valgrind."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.false_alarms.numpy_warning import ignore_now
from pytest_valgrind.findings.verdict import Outcome
from pytest_valgrind.items.hook_chain import HookChain
from pytest_valgrind.leaks import unattributed
from pytest_valgrind.recovery.records import Collected, Collecting, Covered, Ended, Interrupted
from pytest_valgrind.recovery.second_runs import SecondRuns
from pytest_valgrind.reporting.end_of_run import EndOfRun
from pytest_valgrind.session import messages, timeouts
from pytest_valgrind.session.assembly import assemble
from pytest_valgrind.session.item_frames import ItemFrames
from pytest_valgrind.session.progress import show_waiting
from pytest_valgrind.session.start_up import StartUp

if TYPE_CHECKING:
    from pytest_valgrind.origins.origin_run import OriginRun
    from pytest_valgrind.origins.origins import Request
    from pytest_valgrind.recovery.coverage_data import CoverageData
    from pytest_valgrind.session.process import Process
    from pytest_valgrind.settings import Settings
    from pytest_valgrind.workers.worker import XdistWorker


class ValgrindChecker:
    """The plugin that projects know as ``valgrind_checker``.

    :param process: in which the session runs.
    :param worker: what makes the session a pytest-xdist worker, None if it is none.
    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """

    def __init__(
        self,
        settings: Settings,
        pluginmanager: pytest.PytestPluginManager,
        process: Process,
        worker: XdistWorker | None = None,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._pluginmanager = pluginmanager
        self._process = process
        self._journal = process.journal
        self._run_directory = process.run_directory
        self._chain = HookChain(self)
        giver = worker or self._run_directory
        self._second_runs = SecondRuns(giver.second_runs if giver else ())
        say = partial(messages.say, pluginmanager)
        self._parts = parts = assemble(settings, process, worker.count if worker else 1, say)
        self._engine = parts.engine
        self._runner = parts.runner
        self._conclusions = parts.conclusions
        self._results = parts.conclusions.results
        self._end_of_run = EndOfRun(settings, self._results, parts.engine.hints)
        self._timeouts = parts.timeouts
        pluginmanager.register(self._timeouts, timeouts.NAME)
        pluginmanager.register(ItemFrames(self._runner))
        self._descriptors = parts.descriptors
        self._coverage: CoverageData | None = None
        self._conclusions.judge.notes_unexplained = parts.engine.can_find_origins(settings)
        self._environment = dict(os.environ)
        #: What runs the tests in this one's place, if this is a further run.
        self._origin_run: OriginRun | None = None
        self._start_up = StartUp()
        self._has_written = False
        self._is_fork = False

    def answer(self, request: Request) -> None:
        """Have another plugin run the tests, and find out only what it has been asked for."""
        from pytest_valgrind.origins.origin_run import OriginRun
        from pytest_valgrind.session.memcheck import Memcheck

        engine = self._engine
        assert isinstance(engine, Memcheck)
        functions = engine.monitor.functions
        self._origin_run = OriginRun(request, self._settings, engine.info, functions)
        # Later than this one, so that its hooks come before.
        self._pluginmanager.register(self._origin_run)

    @property
    def name(self) -> str:
        """Of the engine."""
        return self._engine.name

    def session_begins(self) -> None:
        """Get ready once pytest has set a session up, this one or one inside."""
        self._engine.session_begins()

    def forked(self) -> None:
        """Leave the rest to pytest: this is a fork of the process that is checked."""
        self._is_fork = True
        self._runner.forked()

    def nearer(self, work: Callable[..., object], *arguments: object) -> object:
        """Call a function of a session inside a test, in a frame of that test."""
        __tracebackhide__ = True
        return self._runner.nearer(work, *arguments)

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """Say what is checked; with -v by which valgrind and options, and where the log is."""
        name, weaknesses = self._engine.name, self._engine.weaknesses(self._settings)
        return [
            *self._engine.header(self._parts.mode, is_verbose=config.option.verbose > 0),
            *(f"{name}: beware: {words}" for words in weaknesses),
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Keep the stacks of crashes complete, although pytest has enabled faulthandler by now."""
        self.session_begins()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Watch the import of test modules."""
        self._journal.write(Collecting(collector.nodeid))
        self._runner.between()
        try:
            return (yield)
        finally:
            self._runner.collected(collector.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        """Run all tests, and what runs between them in a frame that says so."""
        hook, arguments = session.ihook.pytest_runtestloop, {"session": session}
        collects_only = session.config.option.collectonly
        self._start_up.is_over()
        is_stopped = True
        if not collects_only:
            if self._run_directory:
                self._run_directory.save_memory_map()
                tests = [(item.nodeid, item.location) for item in self._first_runs(session)]
                self._journal.write(Collected(tuple(tests)))
            if self._journal.is_read and self._pluginmanager.has_plugin("_cov"):
                from pytest_valgrind.recovery.coverage_data import CoverageData

                self._coverage = CoverageData.of(self._pluginmanager)
            self._save_coverage()
            self._runner.begin(session)
            show_waiting(self._parts.mode.check, session.config)
        try:
            if self._worker and not collects_only:
                self._engine.outside(self._run_again, session)
            value = self._engine.outside(self._chain.call, hook, arguments)
            is_stopped = False
            return value
        except KeyboardInterrupt:
            self.pytest_keyboard_interrupt()
            raise
        finally:
            if not self._is_fork:
                self._end(session, collects_only=collects_only, is_stopped=is_stopped)

    def _end(self, session: pytest.Session, *, collects_only: bool, is_stopped: bool) -> None:
        is_silent = self._worker or self._origin_run
        try:
            if not collects_only:
                self._runner.finish()
                if pytest_internals.all_torn_down(session):
                    self._look_for_descriptors(session)
                self._settle_doubts(session)
                self._find_unchecked(session)
                self._end_of_run.report_tests(session.ihook)
                self._look_for_origins(session, is_stopped=is_stopped)
                self._engine.look_back(self._settings, self._results)
        finally:  # whatever the hooks of others do with a report
            self._write_end()
        if not is_silent:  # all workers import the same, and the controller reports it once
            self._end_of_run.report_run(session.config, has_failed=bool(session.testsfailed))

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Tell the launcher, which would interrupt this process else."""
        self._journal.write(Interrupted())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take what was found since the last test, and tell the parent everything."""
        if self._is_fork or self._run_directory is None or session.config.option.collectonly:
            return
        self._runner.between()
        if self._look_for_descriptors(session) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._write_end()
        if self._worker:
            self._worker.leave(session.config, self._run_directory.journal)

    def _write_end(self) -> None:
        """Write down what is known in the end, for the parent."""
        self._engine.keep_log(self._results)
        weaknesses = tuple(self._engine.weaknesses(self._settings))
        self._journal.write(Ended(self._results, weaknesses, self._engine.kept_log))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out what has been run already, by a process that died, or run it again first."""
        done = self._process.left_out
        if not done:
            return
        again = self._second_runs.choose(items)
        done.subtract(item.nodeid for item in again)
        left_out: list[pytest.Item] = []
        rest: list[pytest.Item] = []
        for item in items:
            if self._second_runs.earlier(item) is None:
                is_done = done[item.nodeid] > 0
                (left_out if is_done else rest).append(item)
                done[item.nodeid] -= is_done
        items[:] = [*again, *rest]
        config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a test; its reports are held back until valgrind has been asked."""
        if self._is_fork:
            return None
        if item.get_closest_marker("filterwarnings") is not None:
            ignore_now()
        place = self._process.item_numbers.last + 1
        self._runner.run(item, nextitem, self._protocol, self._second_runs.earlier(item))
        if item is self._second_runs.last:
            # Now, so that it is known if the process dies of a later test, as the one before did.
            self._runner.settle()
        self._save_coverage()
        if self._descriptors:
            self._descriptors.test_ran(place, item.nodeid)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Notice the end of a phase: one hook for all three, as every hook costs every test."""
        if self._timeouts.has_hung:
            self._runner.add(self._timeouts.finding(call.when))
        self._runner.reported(call.when)

    def _save_coverage(self) -> None:
        if self._coverage and self._engine.outside(self._coverage.save):
            self._journal.write(Covered(self._process.item_numbers.last))

    def _first_runs(self, session: pytest.Session) -> list[pytest.Item]:
        return [item for item in session.items if self._second_runs.earlier(item) is None]

    def _run_again(self, session: pytest.Session) -> None:
        """Run what is to run a second time; pytest-xdist knows nothing of it."""
        items = self._second_runs.choose(session.items)
        # What all tests share is not torn down after the last.
        after = cast(pytest.Item, session)
        for item, nextitem in zip(items, [*items[1:], after], strict=False):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            if session.shouldfail or session.shouldstop:
                return

    def _protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        hook = item.ihook.pytest_runtest_protocol
        arguments = {"item": item, "nextitem": nextitem}
        return self._timeouts.limited(partial(self._chain.call, hook, arguments))

    def _look_for_origins(self, session: pytest.Session, *, is_stopped: bool) -> None:
        results = self._results
        if not (self._origin_run or results.unexplained):
            return
        from pytest_valgrind.origins.origins import Origins

        origins = Origins(self._settings, self._environment)
        if self._origin_run:
            for nodeid, findings in [*results.modules.items(), ("", results.outside)]:
                self._origin_run.note(nodeid, findings)
        elif is_stopped:
            origins.pass_over(results)
        elif self._worker is None:
            origins.settle(
                results, session.config.hook, partial(messages.say_line, self._pluginmanager)
            )

    def _settle_doubts(self, session: pytest.Session) -> None:
        """Have it known which test lost what, if need be by running tests again."""
        lost = self._conclusions.settle_by_makers(session, self._runner.unsettled)
        ran_again = self._settings.exact_rerun and bool(lost)
        if ran_again:
            check = self._engine.exact_check(self._settings, self._parts.state)
            doubts = unattributed.Doubts(lost)
            self._runner.run_again(doubts, self._protocol, check)
            lost = doubts.left
        self._results.undecided = [
            *self._results.undecided_before,
            *unattributed.explained(lost, session, ran_again=ran_again),
        ]

    def _look_for_descriptors(self, session: pytest.Session) -> bool:
        """See what is open with all fixtures torn down, once; return whether a test fails by it."""
        descriptors, self._descriptors = self._descriptors, None
        if descriptors is None:
            return False
        late = self._results.late
        known = len(late)
        self._conclusions.take_left_open(session, descriptors.left_open())
        return any(test.verdict.outcome is Outcome.FAILED for test in late[known:])

    def _find_unchecked(self, session: pytest.Session) -> None:
        """Find tests that ran where nobody looked, by plugins that have a way of their own."""
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and len(self._runner.ran) < len(session.items):
            outcomes = [made for group in reporter.stats.values() for made in group]
            called = [made.nodeid for made in outcomes if getattr(made, "when", "") == "call"]
            self._results.unchecked += sorted(set(called).difference(self._runner.ran))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was found; where a process has died before this one, the parent does."""
        if not (self._is_fork or self._process.replaces_another):
            self._write_summary(terminalreporter)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Say it after an internal error as well, where pytest writes no summary."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        is_due = not (self._has_written or self._is_fork or config.option.no_summary)
        if reporter is not None and is_due:
            self._write_summary(reporter)

    def _write_summary(self, reporter: pytest.TerminalReporter) -> None:
        self._has_written = True
        self._runner.between()  # fixtures that end with an interrupted session
        self._end_of_run.hints.update(self._engine.weaknesses(self._settings))
        # What this process starts would be traced as the tests' processes are.
        asks = not (self._worker or self._settings.trace_children)
        if asks and (hint := self._start_up.hint(self._pluginmanager)):
            self._end_of_run.hints.add(hint)
        log = self._engine.kept_log
        self._end_of_run.write_summary(reporter, [log] if log else [])
