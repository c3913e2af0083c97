"""The verdict upon a test that ran: its findings, its markers, and what its reports say then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind.findings.finding import Finding, apart, merged
from pytest_valgrind.findings.results import Judged, Results, Unexplained
from pytest_valgrind.findings.verdict import Outcome, judge
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.markers import MARKERS
from pytest_valgrind.recovery.journal import marks_of
from pytest_valgrind.reporting.reports import give, give_to_fixtures
from pytest_valgrind.session.stack_names import StackNames

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.heap.second_run import SecondRuns
    from pytest_valgrind.pinpoint.pinpoint import Pinpoint
    from pytest_valgrind.settings import Settings


class ItemJudge:
    """Judges tests, one by one.

    :param results: of the session, to which the verdicts are added.
    :param names: names what stacks end below.
    :param children: the processes that tests start, None if they are not checked.
    :param tracks_descriptors: whether a known error may be a descriptor that is open at the end.
    :ivar pinpoint: finds lines of Python, None if nobody asked for them.
    :ivar second_runs: finds out which test lost what, None if that is known.
    :ivar found_before: by the native engine, in a run before this one, by test.
    :ivar notes_unexplained: whether somebody will look where uninitialised values are from.
    """

    def __init__(
        self,
        settings: Settings,
        results: Results,
        names: StackNames,
        children: Children | None = None,
        *,
        tracks_descriptors: bool = False,
    ) -> None:
        self._settings = settings
        self._verdict = partial(judge, label=settings.label)
        self.results = results
        self.names = names
        self._children = children
        self._tracks_descriptors = tracks_descriptors
        self._scope = settings.scope
        #: What fails nothing, as it was there before.
        self.known_before = settings.known_before
        self.pinpoint: Pinpoint | None = None
        self.second_runs: SecondRuns | None = None
        self.notes_unexplained = False
        self.found_before: Mapping[str, Sequence[Finding]] = {}

    def is_own(self, finding: Finding) -> bool:
        """Whether a finding is the user's concern."""
        return self._scope.is_own(finding)

    def get_ready(self, tests: Sequence[ItemRun]) -> None:
        """Find out about several tests at once what takes less time than for each alone."""
        if self.second_runs is None:
            return
        leaking = [
            (test, leaks)
            for test in tests
            if (
                leaks := [
                    found
                    for found in test.findings
                    if found.kind.is_leak
                    and not found.process
                    and self._scope.is_own(found, test.nodeid)
                ]
            )
        ]
        self.second_runs.run_at_once(leaking)

    def judge(self, test: ItemRun) -> bool:
        """Have a test's reports say what valgrind says; return whether they may have changed."""
        if self._children:
            test.findings.extend(self._children.findings(test))
        test.findings.extend(self.found_before.get(test.nodeid, ()))
        reports = test.reports
        marked = any(mark.name in MARKERS for mark in test.item.iter_markers())
        if not (test.findings or marked) and all(report.passed for report in reports):
            return False
        findings = [
            self.names.named(found, test) for found in self.route(test.findings, test.nodeid)
        ]
        findings, of_fixtures = apart(merged(findings))
        if self.second_runs is not None:
            findings = self.second_runs.settled(test, findings)
        findings = self.known_before.marked(test.nodeid, findings)
        marker = test.item.get_closest_marker
        shared = [
            Judged(
                test.nodeid,
                self._verdict(found, marker, completed=False),
                found,
                in_fixtures=True,
            )
            for found in (
                self.known_before.marked(test.nodeid, of_fixture)
                for of_fixture in of_fixtures.values()
            )
        ]
        completed = any(report.when == "call" and report.passed for report in reports)
        completed = completed and not (self._children and self._children.has_living(test))
        # An error of its own fails it, or is known, whatever else there is.
        has_error = any(finding.kind.is_counted for finding in findings)
        if not has_error and self.note_unexplained(
            test.findings, test.nodeid, test.item, completed=completed
        ):
            completed = False  # whether a known error occurred is not known yet
        # A known error may be a descriptor that is open at the end.
        completed = completed and not self._tracks_descriptors
        verdict = self._verdict(
            findings,
            marker,
            checked_for_leaks=self._settings.memcheck or bool(self._settings.heapcheck),
            completed=completed,
            strict=self._settings.strict,
            used={name for judged in shared for name in judged.verdict.used_markers},
        )
        if self.pinpoint and verdict.outcome is Outcome.FAILED and findings:
            # What a child process did is not to be seen in this one, and what another engine has
            # found has its lines.
            others = [found for found in findings if found.process or found.engine]
            own = [found for found in findings if not (found.process or found.engine)]
            findings = [*(own and self.pinpoint.named(test, own)), *others]
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

    def fails_anyway(self, test: ItemRun) -> bool:
        """Whether a test that ran will be reported as failed, whatever it turns out to leak."""
        failed = [report for report in test.reports if report.failed]
        if any(report.when != "call" for report in failed):
            return True
        if failed and not self._settings.xfail_failures:
            return True
        own = [found for found in test.findings if self._scope.is_own(found, test.nodeid)]
        found = self.known_before.marked(test.nodeid, own)
        marker = test.item.get_closest_marker
        return bool(found) and judge(found, marker, completed=False).outcome is Outcome.FAILED

    def judge_late(self, nodeid: str, item: pytest.Item, findings: Iterable[Finding]) -> None:
        """Judge a test by what came to be known when its reports had been logged."""
        if found := self.known_before.marked(nodeid, merged(findings)):
            judged = Judged(
                nodeid,
                self._verdict(found, item.get_closest_marker, completed=False),
                found,
            )
            self.results.judged.append(judged)
            self.results.late.append(judged)

    def note_unexplained(
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

    def route(self, findings: Iterable[Finding], nodeid: str = "") -> list[Finding]:
        """Return those that are the user's concern; keep the others for the summary.

        :param nodeid: of their test, empty if they are of none.
        """
        return self.results.sorted_out(findings, self._scope, nodeid)
