"""The order of work around a test; nothing else knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from _pytest.runner import runtestprotocol

from pytest_valgrind import client
from pytest_valgrind.checks import LeakCheck
from pytest_valgrind.evidence import Evidence
from pytest_valgrind.findings import Finding, merged
from pytest_valgrind.garbage import Garbage
from pytest_valgrind.ran import RanTest
from pytest_valgrind.report import give
from pytest_valgrind.settings import Settings
from pytest_valgrind.verdict import Verdict, judge

_RULE = "*" * 70


@dataclass
class Judged:
    """A test and what valgrind has to say about it."""

    nodeid: str
    verdict: Verdict
    findings: list[Finding]


@dataclass
class Results:
    """Everything that the summary is about."""

    tests: int = 0
    #: Those that are not simply clean.
    judged: list[Judged] = field(default_factory=list)
    #: Errors by module, raised while it was collected or imported.
    modules: dict[str, list[Finding]] = field(default_factory=dict)
    outside: list[Finding] = field(default_factory=list)
    #: Errors of the interpreter's own, which fail nothing.
    noise: list[Finding] = field(default_factory=list)

    @property
    def anything_found(self) -> bool:
        """Whether somebody may want to look at the log."""
        return bool(self.judged or self.modules or self.outside or self.noise)


class Session:
    """Runs tests and judges them.

    :param check: when leaks are looked for.
    """

    def __init__(
        self, settings: Settings, evidence: Evidence, garbage: Garbage, check: LeakCheck
    ) -> None:
        self.results = Results()
        self._garbage = garbage
        self._settings = settings
        self._evidence = evidence
        self._check = check
        self._running: RanTest | None = None

    def between(self) -> None:
        """Take the errors since the last test or collector as belonging to neither."""
        self.results.outside.extend(self._without_noise(self._evidence.errors("", "")))

    def collected(self, nodeid: str) -> None:
        """Take the errors raised while a collector was at work."""
        if found := self._without_noise(self._evidence.errors(nodeid, "import")):
            self.results.modules.setdefault(nodeid, []).extend(found)

    def begin(self) -> None:
        """Get ready for the first test."""
        self.between()
        self._check.begin()

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Run a test: setup, call, teardown and garbage collection, and log its reports."""
        client.outside_tests(lambda: _log_start(item))
        self._check.before()
        self.between()
        client.print_to_log(f"\n{_RULE}\n{item.nodeid}\n{_RULE}")
        test = RanTest(item)
        self._running = test
        try:
            client.inside_test(lambda: self._protocol(test, nextitem))
        finally:
            self._running = None
        for known in self._check.ran(test):
            self._conclude(known)

    def phase_ended(self, phase: str) -> None:
        """Take the errors of setup, call or teardown."""
        if self._running is not None:
            found = self._evidence.errors(self._running.item.nodeid, phase)
            if found:
                self._running.findings.extend(found)

    def finish(self) -> None:
        """Do what is left to do after the last test."""
        for known in self._check.finish():
            self._conclude(known)
        self.between()
        self.results.outside.extend(self._check.outside)

    def _protocol(self, test: RanTest, nextitem: pytest.Item | None) -> None:
        test.reports = runtestprotocol(test.item, nextitem=nextitem, log=False)
        if nextitem is None or nextitem.path != test.item.path:
            self._garbage.settle_everything()
        else:
            self._garbage.settle()
        self.phase_ended("gc")

    def _conclude(self, test: RanTest) -> None:
        item = test.item
        findings = merged(self._without_noise(test.findings))
        verdict = judge(
            findings,
            item.get_closest_marker,
            checked_for_leaks=self._settings.memcheck,
            completed=any(report.when == "call" and report.passed for report in test.reports),
            strict=self._settings.strict,
        )
        self.results.tests += 1
        if findings or verdict.unused_markers:
            self.results.judged.append(Judged(item.nodeid, verdict, findings))
        give(verdict, findings, test.reports, xfail_failures=self._settings.xfail_failures)
        client.outside_tests(lambda: _log(item, test.reports))

    def _without_noise(self, findings: Sequence[Finding]) -> list[Finding]:
        if not findings:
            return []
        self.results.noise.extend(finding for finding in findings if finding.is_interpreter_noise)
        return [finding for finding in findings if not finding.is_interpreter_noise]


def _log_start(item: pytest.Item) -> None:
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)


def _log(item: pytest.Item, reports: Sequence[pytest.TestReport]) -> None:
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
