"""A session without valgrind that reports what processes under valgrind did until they died.

All reporters, those of pytest (JUnit XML among them) and of plugins, get what they would have got.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from unittest import mock

import pytest

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.results import Results
from pytest_valgrind.origins.origins import Origins
from pytest_valgrind.recovery.coverage_data import measure_nothing, not_covered, options_of_replay
from pytest_valgrind.recovery.history import ProcessHistory, not_checked
from pytest_valgrind.reporting import reports
from pytest_valgrind.reporting.end_of_run import ARGUMENTS, EndOfRun
from pytest_valgrind.settings import Settings

NAME = "valgrind_replay"


class Replay:
    """Says what became of the tests of one process after another.

    :param histories: of the processes, each of which went on where the one before had died.
    :param arguments: of the user's command line.
    """

    #: By which pytest knows it.
    __name__ = NAME

    def __init__(
        self,
        histories: Sequence[ProcessHistory],
        settings: Settings,
        arguments: Sequence[str] = (),
    ) -> None:
        self._histories = histories
        self._settings = settings
        self._arguments = arguments
        self._results = Results()
        self._end_of_run = EndOfRun(settings, self._results, set())

    def pytest_configure(self, config: pytest.Config) -> None:
        """Measure nothing, and report the run as the user has started it."""
        measure_nothing(config.pluginmanager)
        config.stash[ARGUMENTS] = tuple(self._arguments)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Import nothing, which may be what the process died of."""
        session.items = []
        session.testscollected = self._histories[0].count
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Have all reports logged."""
        for history in self._histories:
            history.judge(self._settings)
            self._replay(history, session)
            self._results.add(history.results)
            self._end_of_run.hints.update(history.hints)
        Origins(self._settings, os.environ).pass_over(self._results)
        self._end_of_run.report_tests(session.ihook)
        # A process that died has failed the run.
        self._end_of_run.report_run(session.config, has_failed=True)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was found, and what was not run."""
        logs = [history.log for history in self._histories if history.log]
        option = terminalreporter.config.option
        lines = (*self._not_run(), *not_covered(option, self._histories))
        self._end_of_run.write_summary(terminalreporter, logs, lines)

    def _replay(self, history: ProcessHistory, session: pytest.Session) -> None:
        hook, config = session.config.hook, session.config
        for place, test in sorted(history.began.items()):
            if place in history.replaced:
                continue
            where = {"nodeid": test.nodeid, "location": test.location}
            hook.pytest_runtest_logstart(**where)
            for made in history.reports_of(place, config, self._settings):
                hook.pytest_runtest_logreport(report=made)
            if test is history.running and history.crash:
                made = reports.of_crash(
                    test.nodeid, test.location, history.crash, history.crash_message
                )
                hook.pytest_runtest_logreport(report=made)
            hook.pytest_runtest_logfinish(**where)
        if history.crash and not history.running:
            lost = reports.of_process(history.path, history.crash, history.crash_message)
            hook.pytest_collectreport(report=lost)

    def _not_run(self) -> Iterator[str]:
        last = self._histories[-1]
        yield from not_checked(self._histories)
        if not_run := last.not_run:
            yield f"{plural(len(not_run), 'test')} not run: {reports.named(not_run)}"
            if not self._settings.resume:
                yield "hint: --memory-resume goes on after the test that the process died of"


def replay(
    histories: Sequence[ProcessHistory],
    settings: Settings,
    config: pytest.Config,
    args: Sequence[str],
) -> int:
    """Run such a session and return its exit code.

    :param args: of the command line and of the ini file, as far as they are known without what
        conftests declare.
    """
    # The conftests may be what the process died of.
    own = ["--noconftest", "--no-header", f"--rootdir={config.rootpath}", "-o", "addopts="]
    own += options_of_replay(config.known_args_namespace, histories)
    if config.pluginmanager.has_plugin("logging"):
        own.append("--log-file=/dev/null")  # the process has written its own
    if config.inipath:
        own += ["-c", str(config.inipath)]
    with mock.patch.dict(os.environ):
        os.environ.pop("PYTEST_ADDOPTS", None)
        given = [str(argument) for argument in config.invocation_params.args]
        return int(pytest.main([*args, *own], plugins=[Replay(histories, settings, given)]))
