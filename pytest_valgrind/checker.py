"""The active checker: pytest's hooks in a process under valgrind."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind import client, report
from pytest_valgrind.checks import ExactCheck, LeakCheck, NoCheck
from pytest_valgrind.evidence import Evidence
from pytest_valgrind.garbage import Garbage
from pytest_valgrind.handover import Handover
from pytest_valgrind.host import find_host
from pytest_valgrind.repairs import apply_late
from pytest_valgrind.session import Session
from pytest_valgrind.summary import summary, weaknesses

if TYPE_CHECKING:
    from pytest_valgrind.settings import Settings


class ValgrindChecker:
    """The plugin that projects know as ``valgrind_checker``.

    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handover = Handover.adopt()
        self._host = find_host(None if self._handover else settings.log)
        self._sees_objects = bool(client.one_block_per_object())
        self._errors_at_start = client.count_errors()
        self._evidence = Evidence(self._host.log, settings.leak_kinds)
        garbage = Garbage(freeze=settings.freeze)
        self._check: LeakCheck = (
            ExactCheck(self._evidence, garbage, also_before=settings.memcheck_before)
            if settings.memcheck
            else NoCheck()
        )
        self._session = Session(settings, self._evidence, garbage, self._check)
        self._set_up_valgrind()

    def _set_up_valgrind(self) -> None:
        kinds = ",".join(sorted(kind.name.lower() for kind in self._settings.leak_kinds))
        client.change_option(f"--show-leak-kinds={kinds}")
        # Leaks have a counter of their own; as errors they would be counted twice.
        client.change_option("--errors-for-leak-kinds=none")
        # A forked child would write what nobody reads, amid what is read.
        client.change_option("--child-silent-after-fork=yes")
        if self._handover is None:
            for path in self._settings.suppressions:
                client.change_option(f"--suppressions={path}")
            apply_late(self._errors_at_start)
        self._evidence.skip()

    def pytest_report_header(self) -> list[str]:
        """Say what is checked, with which valgrind and options, and where the log is."""
        version = f" {self._host.version}" if self._host.version else ""
        lines = [
            f"valgrind: memcheck{version}, checking for {self._check.description}",
            f"valgrind: options {shlex.join(self._host.options) or 'unknown'}",
            f"valgrind: log {self._host.log or 'not in a file, so findings come without excerpt'}",
        ]
        lines += [f"valgrind: beware: {weakness}" for weakness in self._weaknesses_of_the_process()]
        return lines

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Watch the import of test modules."""
        self._session.between()
        try:
            return (yield)
        finally:
            self._session.collected(collector.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Enclose all tests."""
        if not session.config.option.collectonly:
            if self._handover:
                self._handover.save_memory_map()
            self._session.begin()
        try:
            return (yield)
        finally:
            if not session.config.option.collectonly:
                self._session.finish()
            for nodeid, findings in self._session.results.modules.items():
                session.ihook.pytest_collectreport(report=report.of_module(nodeid, findings))
            if self._handover and self._session.results.anything_found:
                self._handover.keep_log()

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test; its reports are held back until valgrind has been asked."""
        self._session.run(item, nextitem)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Notice the end of a phase: one hook for all three, as every hook costs every test."""
        self._session.phase_ended(call.when)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was found."""
        write = terminalreporter.write_line
        terminalreporter.section("valgrind")
        for line in summary(self._session.results):
            write(line)
        for line in [*self._weaknesses_of_the_process(), *weaknesses(self._session.results)]:
            write(f"hint: {line}")
        if self._host.log and (self._handover is None or self._handover.log_is_kept):
            write(f"log: {self._host.log}")

    def _weaknesses_of_the_process(self) -> list[str]:
        found = sorted(self._evidence.weaknesses)
        if not self._sees_objects:
            found.append(
                "PYTHONMALLOC=malloc is not in force, so Python's objects share blocks in which "
                "valgrind sees neither overruns nor leaks: set it, and leave -E and -I out"
            )
        if self._handover is None and self._settings.args:
            found.append("valgrind_args came too late, as valgrind already runs")
        return found
