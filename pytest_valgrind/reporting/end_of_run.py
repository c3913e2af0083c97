"""What is reported when all tests are over: by the checker, by the controller and by replay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pluggy
import pytest

from pytest_valgrind.findings.finding import Finding, merged, plural
from pytest_valgrind.findings.results import Results
from pytest_valgrind.findings.suppressions import write
from pytest_valgrind.findings.verdict import Outcome
from pytest_valgrind.reporting import reports
from pytest_valgrind.reporting.terminal import summary, weaknesses, write_summary

if TYPE_CHECKING:
    from pytest_valgrind.settings import Settings


#: What the reports of the run are made from, as files.
END_OF_RUN = pytest.StashKey["EndOfRun"]()
#: The arguments that the user gave, where those of the session are others.
ARGUMENTS = pytest.StashKey[tuple[str, ...]]()


class EndOfRun(NamedTuple):
    """The end of one session, or of what several processes did.

    Each process reports what its tests have lost; what all of them have in common is reported once.

    :ivar results: of the run, in all.
    :ivar hints: what to do for better findings.
    """

    settings: Settings
    results: Results
    hints: set[str]

    def report_tests(self, hook: pluggy.HookRelay) -> None:
        """Report what tests did that is not in their own reports."""
        before = self.settings.known_before
        self.results.undecided = [
            lost._replace(finding=before.marked("", [lost.finding])[0])
            for lost in self.results.undecided
        ]
        undecided = [lost for lost in self.results.undecided if not lost.finding.known]
        for nodeids, lines in dict.fromkeys((lost.nodeids, lost.lines) for lost in undecided):
            found = [lost.finding for lost in undecided if lost.nodeids == nodeids]
            hook.pytest_collectreport(
                report=_of_undecided(nodeids, lines, merged(found), self._label)
            )
        for late in self.results.late:
            if late.verdict.outcome is Outcome.FAILED:
                made = reports.of_late(late.nodeid, late.verdict, late.findings)
                hook.pytest_collectreport(report=made)
        if self.results.unchecked:
            hook.pytest_collectreport(
                report=reports.of_unchecked(self.results.unchecked, self._label)
            )

    def report_run(self, config: pytest.Config, *, has_failed: bool) -> None:
        """Report what was found at import, and a run that checked nothing; write the files.

        :param has_failed: whether the run fails already.
        """
        config.stash[END_OF_RUN] = self
        hook = config.hook
        for nodeid, findings in self.results.modules.items():
            if new := [found for found in findings if not found.known]:
                hook.pytest_collectreport(report=reports.of_module(nodeid, new, self._label))
        if self.results.is_void and not has_failed:
            hook.pytest_collectreport(report=reports.of_void_run(self.results.hidden, self._label))
        if self.results.blindness and self.results.tests:
            hook.pytest_collectreport(
                report=reports.of_blind_run(self.results.blindness, self._label)
            )
        if path := self.settings.gen_suppressions:
            self._write_suppressions(path)

    def write_summary(
        self, reporter: pytest.TerminalReporter, logs: Sequence[str], more: Iterable[str] = ()
    ) -> None:
        """Write our section of the terminal's summary.

        :param logs: those from valgrind that may be worth a look.
        :param more: lines after it.
        """
        settings = self.settings
        write_summary(
            reporter,
            self.results,
            sorted(self.hints),
            logs,
            title=settings.name,
            rules=settings.ignore if settings.heapcheck else (),
            offers_pinpoint=not settings.pinpoint,
        )
        for line in more:
            reporter.write_line(line)

    @property
    def lines(self) -> Iterable[str]:
        """The lines of the summary."""
        return summary(self.results, self.settings.ignore if self.settings.heapcheck else ())

    @property
    def all_hints(self) -> list[str]:
        """What to do for better findings, in sentences."""
        return [*sorted(self.hints), *weaknesses(self.results)]

    @property
    def _label(self) -> str:
        return self.settings.label

    def _write_suppressions(self, path: Path) -> None:
        try:
            written = write(path, self.results.not_known())
        except OSError as error:
            self.hints.add(
                f"--valgrind-gen-suppressions: {path} cannot be written ({error.strerror})"
            )
        else:
            self.results.written = f"{plural(written, 'suppression')} written to {path}"


def _of_undecided(
    nodeids: Sequence[str], lines: Sequence[str], findings: Sequence[Finding], label: str
) -> pytest.CollectReport:
    lines = lines or [f"One of these tests lost this memory: {reports.named(nodeids)}."]
    return reports.of_group(nodeids[-1].partition("::")[0], lines, findings, label)
