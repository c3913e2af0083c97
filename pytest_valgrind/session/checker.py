"""The active checker: pytest's hooks in a process under valgrind."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from pytest_valgrind import client
from pytest_valgrind.false_alarms.numpy_warning import ignore_now
from pytest_valgrind.findings.finding import Kind, plural
from pytest_valgrind.findings.suppressions import count, unused
from pytest_valgrind.findings.verdict import Outcome
from pytest_valgrind.items.fixtures import finalizers_of, is_shared, phases_of, wrap_finalizers
from pytest_valgrind.items.hook_chain import HookChain
from pytest_valgrind.leaks import unattributed
from pytest_valgrind.leaks.attribution import ProcessState
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.memcheck.mode import choose, exact
from pytest_valgrind.recovery.records import Collected, Collecting, Covered, Ended, Interrupted
from pytest_valgrind.recovery.second_runs import SecondRuns
from pytest_valgrind.reporting import reports
from pytest_valgrind.reporting.terminal import write_summary, write_suppressions
from pytest_valgrind.session import timeouts
from pytest_valgrind.session.item_runner import ItemRunner
from pytest_valgrind.session.progress import show_waiting
from pytest_valgrind.session.timeouts import Timeouts

if TYPE_CHECKING:
    from pytest_valgrind.memcheck.descriptors import Descriptors
    from pytest_valgrind.origins.origin_run import OriginRun
    from pytest_valgrind.origins.origins import Request
    from pytest_valgrind.recovery.coverage_data import CoverageData
    from pytest_valgrind.session.process import Process
    from pytest_valgrind.settings import Settings
    from pytest_valgrind.workers.worker import XdistWorker


class ValgrindChecker:
    """The plugin that projects know as ``valgrind_checker``.

    :param process: in which the session runs.
    :param worker: the session as a worker of pytest-xdist's, None if it is none.
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
        self._chain = HookChain(self)
        self._process = process
        self._run_directory = process.run_directory
        self._journal = process.journal
        giver = worker or self._run_directory
        self._second_runs = SecondRuns(giver.second_runs if giver else ())
        self._memcheck = process.memcheck(settings)
        found = self._memcheck.begin(settings, self._say)
        self._info = self._memcheck.info
        self._monitor = self._memcheck.monitor
        self._sees_objects = bool(client.one_block_per_object())
        self._has_written = False
        self._garbage = Garbage(freeze=settings.freeze)
        self._state = ProcessState(self._garbage, process.item_numbers, process.loss_records)
        workers = worker.count if worker else 1
        self._mode = choose(
            settings,
            self._monitor,
            self._state,
            workers=workers,
        )
        self._timeouts = Timeouts(
            settings.timeout,
            settings.timeout_factor,
            self._monitor,
            self._run_directory.python_stacks if self._run_directory else None,
        )
        pluginmanager.register(self._timeouts, timeouts.NAME)
        self._coverage: CoverageData | None = None
        self._descriptors: Descriptors | None = None
        if self._info.tracks_descriptors:
            from pytest_valgrind.memcheck.descriptors import Descriptors

            self._descriptors = Descriptors(self._monitor, process.item_numbers)
        self._children = self._memcheck.follow_children(settings)
        self._session = ItemRunner(
            settings,
            self._monitor,
            self._garbage,
            self._mode.check,
            process.item_numbers,
            process.journal,
            self._children,
        )
        self._session.notes_unexplained = self._can_look_for_origins()
        self._environment = dict(os.environ)
        #: What runs the tests in this one's place, if this is a further run.
        self._origin_run: OriginRun | None = None

        self._session.take_outside(found)
        self._is_fork = False

    def answer(self, request: Request) -> None:
        """Have another plugin run the tests, and find out only what it has been asked for."""
        from pytest_valgrind.origins.origin_run import OriginRun

        functions = self._monitor.functions
        self._origin_run = OriginRun(request, self._settings, self._info, functions)
        # Later than this one, so that its hooks come before.
        self._pluginmanager.register(self._origin_run)

    def forked(self) -> None:
        """Leave the rest to pytest: this is a fork of the process that is checked."""
        self._is_fork = True
        self._session.forked()

    def nearer(self, work: Callable[..., object], *arguments: object) -> object:
        """Call a function of a session inside a test, in a frame of that test."""
        __tracebackhide__ = True
        return self._session.nearer(work, *arguments)

    def pytest_report_header(self) -> list[str]:
        """Say what is checked, with which valgrind and options, and where the log is."""
        version = f" {self._info.version}" if self._info.version else ""
        lines = [
            f"valgrind: memcheck{version}, checking for {self._mode.description}",
            f"valgrind: options {shlex.join(self._info.options) or 'unknown'}",
            f"valgrind: log {self._info.log or 'not in a file, so findings come without excerpt'}",
        ]
        if (noise := self._memcheck.noise) is not None:
            contexts = plural(count(noise), "context")
            lines.append(f"valgrind: {contexts} of errors known to be the interpreter's own")
        lines += [f"valgrind: beware: {weakness}" for weakness in self._weaknesses_of_the_process()]
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Have stacks of deaths complete, although pytest has enabled faulthandler by now."""
        client.handle_signals_on_stack()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Watch the import of test modules."""
        self._journal.write(Collecting(collector.nodeid))
        self._session.between()
        try:
            return (yield)
        finally:
            self._session.collected(collector.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        """Run all tests, and what runs between them in a frame that says so."""
        hook, arguments = session.ihook.pytest_runtestloop, {"session": session}
        collects_only = session.config.option.collectonly
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
            self._session.begin(session)
            show_waiting(self._mode.check, session.config)
        try:
            if self._worker and not collects_only:
                client.outside_tests(self._run_again, session)
            value = client.outside_tests(self._chain.call, hook, arguments)
            is_stopped = False
            return value
        except KeyboardInterrupt:
            self.pytest_keyboard_interrupt()
            raise
        finally:
            if not self._is_fork:
                self._end(session, collects_only=collects_only, is_stopped=is_stopped)

    def _end(self, session: pytest.Session, *, collects_only: bool, is_stopped: bool) -> None:
        try:
            if not collects_only:
                self._session.finish()
                if not session._setupstate.stack:
                    self._look_for_descriptors(session)
                self._report_unsettled(session)
                self._report_late(session)
                self._report_unchecked(session)
                self._look_for_origins(session, is_stopped=is_stopped)
                self._look_back()
        finally:  # whatever the hooks of others do with a report
            self._write_end()
        # Each worker has imported all of them, and the controller reports them once.
        is_silent = self._worker or self._origin_run
        modules = {} if is_silent else self._session.results.modules
        for nodeid, findings in modules.items():
            session.ihook.pytest_collectreport(report=reports.of_module(nodeid, findings))
        if self._session.results.is_void and not (self._worker or session.testsfailed):
            void = reports.of_void_run(self._session.results.hidden)
            session.ihook.pytest_collectreport(report=void)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Tell the launcher, which would interrupt this process else."""
        self._journal.write(Interrupted())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take what was found since the last test, and tell the parent everything."""
        if self._is_fork or self._run_directory is None or session.config.option.collectonly:
            return
        self._session.between()
        if self._look_for_descriptors(session) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._write_end()
        if self._worker:
            self._worker.leave(session.config, self._run_directory.journal)

    def _write_end(self) -> None:
        """Write down what is known in the end, for the parent."""
        results = self._session.results
        if self._run_directory and (results.anything_found or self._info.says_more):
            self._run_directory.keep_log()
        log = str(self._info.log) if self._log_is_kept else ""
        self._journal.write(Ended(results, tuple(self._weaknesses_of_the_process()), log))

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
        self._session.run(item, nextitem, self._protocol, self._second_runs.earlier(item))
        if item is self._second_runs.last:
            # Now, so that it is known if the process dies of a later test, as the one before did.
            self._session.settle()
        self._save_coverage()
        if self._descriptors:
            self._descriptors.test_ran(place, item.nodeid)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object:
        """Call a test function near to the frame that bears its number."""
        __tracebackhide__ = True
        hook = pyfuncitem.ihook.pytest_pyfunc_call
        return self._session.nearer(self._chain.call, hook, {"pyfuncitem": pyfuncitem})

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> object:
        """Call a fixture's function near to the frame that bears the number of the test.

        One that several tests share has a number of its own, and its teardown another.
        """
        __tracebackhide__ = True
        hook = request.node.ihook.pytest_fixture_setup
        arguments = {"fixturedef": fixturedef, "request": request}
        if is_shared(fixturedef):
            value = self._set_up_shared(fixturedef, request, hook, arguments)
        else:
            try:
                value = self._session.nearer(self._chain.call, hook, arguments)
            finally:
                self._session.fixture_was_set_up(fixturedef.func)
        # No result would mean that the hook calls them all again. Nobody uses it but to know
        # that there is one: the value is in the fixture's cache.
        return True if value is None else value

    def _set_up_shared(
        self,
        fixturedef: pytest.FixtureDef[object],
        request: pytest.FixtureRequest,
        *call: object,
    ) -> object:
        __tracebackhide__ = True
        setup, teardown = phases_of(fixturedef, request)
        before = len(finalizers_of(fixturedef))
        in_phase = self._session.in_fixture
        try:
            return in_phase(setup, self._chain.call, *call)
        finally:
            wrap_finalizers(
                fixturedef, before, lambda finalizer: partial(in_phase, teardown, finalizer)
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Notice the end of a phase: one hook for all three, as every hook costs every test."""
        if self._timeouts.has_hung:
            self._session.add(self._timeouts.finding(call.when))
        self._session.reported(call.when)

    def _save_coverage(self) -> None:
        if self._coverage and client.outside_tests(self._coverage.save):
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

    def _can_look_for_origins(self) -> bool:
        """Whether a further run may say where values are from, which this one does not."""
        settings = self._settings
        knows = "yes" in self._info.values("--track-origins")
        # What this process starts would run under valgrind itself.
        traces = settings.trace_children or "yes" in self._info.values("--trace-children")
        return settings.origins and not (settings.all_errors or knows or traces)

    def _look_for_origins(self, session: pytest.Session, *, is_stopped: bool) -> None:
        results = self._session.results
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
            origins.settle(results, session.config.hook, self._say_line)

    def _say_line(self, words: str) -> None:
        reporter = self._pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(words)

    def _report_unsettled(self, session: pytest.Session) -> None:
        lost = self._session.unsettled
        ran_again = self._settings.exact_rerun and bool(lost)
        if ran_again:
            check = exact(
                self._monitor,
                self._state,
                references=self._settings.references,
            )
            doubts = unattributed.Doubts(lost)
            self._session.run_again(doubts, self._protocol, check)
            lost = doubts.left
        self._session.results.undecided = unattributed.undecided(lost)
        for group, findings in unattributed.by_group(lost):
            made = unattributed.report(group, findings, session, ran_again=ran_again)
            session.ihook.pytest_collectreport(report=made)

    def _look_for_descriptors(self, session: pytest.Session) -> bool:
        """See what is open with all fixtures torn down, once; return whether a test fails by it."""
        descriptors, self._descriptors = self._descriptors, None
        if descriptors is None:
            return False
        late = self._session.results.late
        known = len(late)
        self._session.take_left_open(session, descriptors.left_open())
        return any(test.verdict.outcome is Outcome.FAILED for test in late[known:])

    def _report_late(self, session: pytest.Session) -> None:
        for late in self._session.results.late:
            if late.verdict.outcome is Outcome.FAILED:
                found = reports.of_late(late.nodeid, late.verdict, late.findings)
                session.ihook.pytest_collectreport(report=found)

    def _report_unchecked(self, session: pytest.Session) -> None:
        """Report tests that ran where nobody looked, by plugins that have a way of their own."""
        unchecked = self._session.results.unchecked
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and len(self._session.ran) < len(session.items):
            outcomes = [made for group in reporter.stats.values() for made in group]
            called = [made.nodeid for made in outcomes if getattr(made, "when", "") == "call"]
            unchecked += sorted(set(called).difference(self._session.ran))
        if unchecked:
            session.ihook.pytest_collectreport(report=reports.of_unchecked(unchecked))

    def _look_back(self) -> None:
        """See what the run has to say about suppressions and about valgrind's limits."""
        results = self._session.results
        self._monitor.look_for_limits()
        used = self._monitor.used_suppressions()
        given = self._memcheck.given_suppressions(self._settings)
        if self._children:
            self._monitor.weaknesses.update(self._children.still_alive)
        if used is not None:
            used |= self._children.used_suppressions if self._children else set()
            results.unused_suppressions = list(unused(sorted(given), used))
        elif given:
            self._monitor.weaknesses.add(
                "valgrind does not say which suppressions are in use: give it -s"
            )
        if self._settings.gen_suppressions and not self._worker:
            write_suppressions(self._settings.gen_suppressions, results, self._monitor.weaknesses)

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
        self._session.between()  # fixtures that end with an interrupted session
        logs = [str(self._info.log)] if self._log_is_kept else []
        write_summary(
            reporter,
            self._session.results,
            self._weaknesses_of_the_process(),
            logs,
            pinpoint=self._settings.pinpoint,
        )

    @property
    def _log_is_kept(self) -> bool:
        return bool(self._info.log) and (
            self._run_directory is None or self._run_directory.log_is_kept
        )

    def _say(self, words: str) -> None:
        """Tell the user who waits; pytest captures what is printed by now."""
        manager = self._pluginmanager.get_plugin("capturemanager")
        shown = manager.global_and_fixture_disabled() if manager else contextlib.nullcontext()
        with shown:
            print(words, end="", file=sys.stderr, flush=True)

    def _weaknesses_of_the_process(self) -> list[str]:
        found = sorted(self._monitor.weaknesses)
        if not self._sees_objects:
            found.append(
                "PYTHONMALLOC=malloc is not in force, so Python's objects share blocks in which "
                "valgrind sees neither overruns nor leaks: set it, and leave -E and -I out"
            )
        if Kind.POSSIBLE in self._settings.leak_kinds:
            found.append(
                "possible leaks are looked for, which takes very long and says little, as every "
                "object of Python's looks possibly lost: leave them out of valgrind_leak_kinds"
            )
        if self._memcheck.came_too_late(self._settings):
            found.append("valgrind_args came too late, as valgrind already runs")
        return found
