"""Takes what the reports of tests say while they come, and writes the files in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_valgrind.findings.baseline import NONE, Baseline
from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.hunt.reports import HEADER as LEAKED
from pytest_valgrind.limits import engine_start
from pytest_valgrind.report_files.annotations import annotation_lines
from pytest_valgrind.report_files.baseline_update import BaselineUpdate
from pytest_valgrind.report_files.run_document import (
    Beyond,
    Ended,
    Left,
    Observed,
    Repeated,
    document,
)
from pytest_valgrind.report_files.test_record import TestRecord
from pytest_valgrind.reporting.attributes import problems_of
from pytest_valgrind.reporting.end_of_run import END_OF_RUN
from pytest_valgrind.reporting.reports import LEAKS_FOUND
from pytest_valgrind.resources.leftovers import ATTRIBUTE as LEFT
from pytest_valgrind.resources.leftovers import unpacked

#: Writes a document in a format; may raise an OSError.
Write = Callable[[dict[str, Any], Path], None]


class RunRecorder:
    """A plugin of the session that reports: the only one, the controller's, or the replay.

    :param files: what is to be written, each with what writes it and the option that asked for it.
    :param known_before: the baseline.
    :param annotates: whether to tell GitHub where the findings are.
    """

    def __init__(
        self,
        config: pytest.Config,
        files: Mapping[Path, tuple[str, Write]],
        *,
        known_before: Baseline,
        annotates: bool,
    ) -> None:
        self._config = config
        self._files = files
        self._known_before = known_before
        self._annotates = annotates
        self._started = self._earliest = time.time()
        self._clock = time.monotonic()
        self._observed = Observed({}, [], [], [], [])
        self._exit_status = int(pytest.ExitCode.OK)
        self._is_written = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a phase of a test."""
        observed = self._observed
        if report.start:  # which a replay of crashed processes has from these
            self._earliest = min(self._earliest, report.start)
        if report.when == "call" and hasattr(report, "context"):
            return  # a subtest: its test has a report of its own
        test = observed.tests.get(report.nodeid)
        if test is None:
            test = observed.tests[report.nodeid] = TestRecord(report)
        test.take(report)
        if (values := getattr(report, LEAKS_FOUND, None)) is not None:
            leaks = Leaks.decoded(values)
            status = _status(report, self._known_before.reason)
            observed.repeated.append(Repeated(report.nodeid, leaks, status))
        for left in unpacked(getattr(report, LEFT, None) or ()):
            status = "baseline" if left.known else "failed" if report.failed else "listed"
            observed.left.append(Left(report.nodeid, left, status))
        for message, details in problems_of(report):
            observed.beyond.append(Beyond(report.nodeid, message, details))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take what could not be collected; our own findings come as such reports as well."""
        if report.failed and "when" not in vars(report):
            message = str(report.longrepr).strip().rpartition("\n")[2]
            message = message.removeprefix("E ").strip()  # so pytest marks the lines of an error
            self._observed.not_collected.append((report.nodeid, message))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Note how the session ends."""
        self._exit_status = int(exitstatus)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the files when all is known, and say where they are."""
        self._write(terminalreporter)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Write them after an internal error as well, where pytest writes no summary."""
        if not self._is_written:
            self._write(config.pluginmanager.get_plugin("terminalreporter"))

    def _write(self, reporter: pytest.TerminalReporter | None) -> None:
        self._is_written = True
        if engine_start.THIS.command is not None:
            return  # the process that takes this one's place runs the tests
        end = self._config.stash.get(END_OF_RUN, None)
        has_findings = end is not None or any(self._observed[1:])
        if not (self._files or self._known_before is not NONE or has_findings):
            return  # annotations are printed wherever GitHub runs pytest
        seconds = time.monotonic() - self._clock + self._started - self._earliest
        made = document(
            self._config,
            self._observed,
            end,
            Ended(self._earliest, seconds, self._exit_status),
        )
        lines, failures = [], []
        for path, (option, write) in self._files.items():
            try:
                write(made, path)
            except OSError as error:
                failures.append(f"{option}: {path} cannot be written: {error.strerror}")
            else:
                lines.append(f"{option}: {path} written")
        if self._known_before is not NONE:
            update = BaselineUpdate(self._known_before, made, set(made["run"]["checks"]))
            try:
                lines += update.lines()
            except OSError as error:
                path = self._known_before.path
                failures.append(f"--memory-baseline: {path} cannot be written: {error.strerror}")
        if reporter is None:
            return
        for line in lines:
            reporter.write_line(line)
        for line in failures:
            reporter.write_line(line, red=True)
        if self._annotates:
            for line in annotation_lines(made):
                reporter.write_line(line)


def _status(report: pytest.TestReport, in_baseline: str) -> str:
    """Return what became of a test that leaks when it is repeated."""
    if (reason := getattr(report, "wasxfail", None)) is not None:
        return "baseline" if reason.startswith(in_baseline) else "known"
    return "failed" if report.failed and LEAKED in str(report.longrepr) else "listed"
