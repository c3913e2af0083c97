"""The pytest-xdist controller: a process without valgrind, whose workers run under it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.command import Command
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.results import Results
from pytest_valgrind.launching.engines import launch_of
from pytest_valgrind.origins.origins import Origins
from pytest_valgrind.recovery import journal
from pytest_valgrind.recovery.coverage_data import not_covered
from pytest_valgrind.recovery.history import (
    ProcessHistory,
    not_checked,
    replace_first_runs,
    to_run_again,
)
from pytest_valgrind.recovery.second_runs import packed
from pytest_valgrind.reporting.end_of_run import EndOfRun
from pytest_valgrind.reporting.reports import of_crash, of_process, take_failure
from pytest_valgrind.workers.location import WorkerLocation
from pytest_valgrind.workers.schedulers import take_back
from pytest_valgrind.workers.worker import OUTPUT, SECOND_RUNS, unpacked

if TYPE_CHECKING:
    from execnet import Gateway, Group, XSpec
    from xdist.dsession import DSession
    from xdist.workermanage import WorkerController

    from pytest_valgrind.settings import Settings

# Seconds: xdist kills a worker that takes longer to end, and all takes longer under valgrind.
_PATIENCE = 60
_USUAL_SECONDS = 10
#: How xdist and execnet end what does not end by itself.
_FORCED = (-signal.SIGTERM, -signal.SIGKILL)


class Controller:
    """Has workers started under valgrind, and brings together what they found.

    :raises pytest.UsageError: if valgrind cannot work here.
    """

    def __init__(self, settings: Settings, config: pytest.Config) -> None:
        self._config = config
        self._settings = settings
        self._results = Results()
        self._end_of_run = EndOfRun(settings, self._results, set())
        self._logs: list[str] = []
        self._histories: dict[str, ProcessHistory] = {}
        self._locations_by_spec: dict[int, WorkerLocation] = {}
        #: By the names of the gateways, of which a new worker has a new one.
        self._locations: dict[str, WorkerLocation] = {}
        self._unused: list[set[Any]] = []
        self._starts: dict[str, float] = {}
        #: The workers that died, by their names, and what they left, by where they ran.
        self._nodes: dict[str, WorkerController] = {}
        self._dead_of: dict[WorkerLocation, list[ProcessHistory]] = {}
        # Once for all workers, as far as they have this interpreter.
        launch_of(Command([sys.executable]), settings).calibrate()
        self._settings_of_workers = settings._replace(calibrate=False)
        self._origins = Origins(settings, os.environ.copy())

    @property
    def _session(self) -> DSession:
        plugin: Any = self._config.pluginmanager.get_plugin("dsession")
        return plugin

    @property
    def _group(self) -> Group:
        manager = self._session.nodemanager
        assert manager is not None
        group: Group = manager.group
        return group

    def pytest_report_header(self) -> str:
        """Say who is checked."""
        if self._settings.valgrind:
            return "valgrind: the workers of pytest-xdist run under memcheck"
        return "heapcheck: the workers of pytest-xdist run with the native heap engine"

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self) -> Generator[None, object, object]:
        """Have one sentence said if a worker cannot be started."""
        from execnet.gateway_bootstrap import HostNotFound

        try:
            return (yield)
        except (EOFError, OSError, AssertionError, HostNotFound) as error:
            raise pytest.UsageError(
                f"{self._settings.option}: a worker of pytest-xdist could not be started; it takes "
                f"{'pytest-valgrind, valgrind' if self._settings.valgrind else 'pytest-valgrind'} "
                "and pytest-xdist on its machine, and what it has said is above "
                f"({type(error).__name__}: {error})."
            ) from error

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: list[XSpec]) -> None:
        """Have the workers' interpreters started by our command."""
        manager = self._session.nodemanager
        assert manager is not None
        manager.EXIT_TIMEOUT = _PATIENCE
        for spec in specs:
            location = WorkerLocation(spec, self._group)
            location.send_files(manager)
            location.prepare(self._settings_of_workers)
            self._locations_by_spec[id(spec)] = location
        if self._settings.valgrind:
            self._say(
                f"valgrind: {plural(len(specs), 'worker')} will start, which takes each about "
                f"{_USUAL_SECONDS} s under valgrind"
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Gateway) -> None:
        """Notice that a worker's interpreter runs."""
        location = self._locations_by_spec.get(id(gateway.spec))
        if location is not None:  # of another worker than those that were announced
            self._locations[gateway.id] = location
            self._starts[gateway.id] = time.monotonic()
            location.started(gateway)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: WorkerController) -> None:
        """Say that a worker is about to collect tests."""
        name = node.gateway.id
        seconds = time.monotonic() - self._starts[name]
        self._say(f"{self._settings.name}: {name} runs, after {seconds:.0f} s")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController, error: object | None) -> None:
        """Take what a worker leaves."""
        name = node.gateway.id
        if name in self._histories:
            return  # xdist says so twice, if it was interrupted
        location = self._locations[name]
        output = getattr(node, "workeroutput", {}) if error is None else {}
        text = output.get(OUTPUT) if output else self._fetch(location, name)
        history = self._histories[name] = ProcessHistory(journal.records(text or b""))
        before = self._dead_of.setdefault(location, [])
        replace_first_runs(before, history)
        if error is None:
            return
        before.append(history)
        self._nodes[name] = node
        if history.crash:
            self._blame(history, node)
        location.prepare(self._settings_of_workers)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Have a worker run again what the one in whose place it comes did not check for leaks."""
        location = self._locations[node.gateway.id]
        if again := to_run_again(self._dead_of.get(location, ())):
            node.workerinput[SECOND_RUNS] = packed(again)
            self._say(
                f"{self._settings.name}: {node.gateway.id} will run "
                f"{plural(len(again), 'test')} again, to check for leaks"
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> pytest.TestReport | None:
        """Unpack what a worker has packed."""
        return unpacked(data)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Have the report of a test say how its worker died."""
        node: WorkerController = vars(report)["node"]
        history = self._histories[node.gateway.id]
        running = history.running
        if history.crash is None:
            return
        if running is None or running.nodeid != crashitem:
            report.sections.append((self._settings.name, history.where))
            return
        made = of_crash(running.nodeid, running.location, history.crash, history.crash_message)
        report.location, report.when = made.location, made.when
        take_failure(report, made)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Bring together what all workers have found."""
        is_stopped = True
        try:
            value = yield
            is_stopped = False
            return value
        finally:
            manager = self._session.nodemanager
            if manager is not None:
                manager.teardown_nodes()
            self._report_unsettled()
            self._look_for_late_crashes()
            if is_stopped:
                self._origins.pass_over(self._results)
            elif self._results.unexplained:
                self._origins.settle(self._results, session.config.hook, self._say)
            if self._unused:
                unused = set.intersection(*self._unused)
                self._results.unused_suppressions = sorted(unused)
            has_failed = bool(session.testsfailed)
            self._end_of_run.report_run(session.config, has_failed=has_failed)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was found."""
        histories = self._histories.values()
        lines = (*not_checked(histories), *not_covered(self._config.option, histories))
        self._end_of_run.write_summary(terminalreporter, self._logs, lines)

    def _fetch(self, location: WorkerLocation, name: str) -> bytes:
        try:
            return location.fetch(name)
        except (OSError, EOFError, AssertionError) as error:  # its machine may be gone
            self._end_of_run.hints.add(f"what worker {name} has left cannot be read: {error}")
            return b""

    def _take(self, history: ProcessHistory) -> None:
        self._results.add(history.results)
        self._end_of_run.hints.update(history.hints)
        if history.log:
            self._logs.append(history.log)
        if history.has_ended:
            self._unused.append(set(history.results.unused_suppressions))

    def _blame(self, history: ProcessHistory, node: WorkerController) -> None:
        """Report a crash with the test in which it was, if it was in one."""
        running, tests = history.running, history.began.values()
        # Where no test began, the worker may never come further: xdist passes one test over.
        knows = bool(tests) and take_back(
            self._session.sched, node, {test.nodeid for test in tests if not test.is_second}
        )
        if not running:
            self._report_crash(history)
        elif knows:
            self._session.handle_crashitem(running.nodeid, node)

    def _report_unsettled(self) -> None:
        """Report what no other worker came to run again, and bring everything together."""
        for name, history in self._histories.items():
            history.judge(self._settings)
            for place in history.unsettled if (node := self._nodes.get(name)) else ():
                for made in history.reports_of(place, self._config, self._settings):
                    self._session.worker_testreport(node=node, rep=made)
            self._take(history)

    def _report_crash(self, history: ProcessHistory) -> None:
        """Report a crash that was not in a test."""
        assert history.crash
        if not history.collected:
            # It will not go better with the next.
            pytest_internals.start_no_more_workers(self._session)
            if any(other.collecting == history.collecting for other in self._dead(history)):
                return
        made = of_process(history.path, history.crash, history.crash_message)
        self._config.hook.pytest_collectreport(report=made)

    def _dead(self, but: ProcessHistory) -> Iterable[ProcessHistory]:
        dead = (history for history in self._histories.values() if history.crash)
        return (history for history in dead if history is not but)

    def _look_for_late_crashes(self) -> None:
        """Report the workers that died after they had ended their session."""
        for name, history in self._histories.items():
            location = self._locations[name]
            if (
                history.crash is None
                and location.is_local
                and (text := self._fetch(location, name))
            ):
                late = ProcessHistory(journal.records(text))
                if late.crash and late.crash.code not in _FORCED:
                    self._results.judged.extend(late.results.judged[-1:])
                    self._report_crash(late)
                elif not late.log:
                    location.forget(name)

    def _say(self, words: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(words)
