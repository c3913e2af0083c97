"""Failures as the terminal shows them: in colour, without logs, and each defect in full once.

Nobody else sees that: JUnit XML, the files of other plugins and ``str(report.longrepr)`` have all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from typing import Protocol

import pytest

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.option_table import option_named
from pytest_valgrind.pytest_internals import Longrepr, shown_otherwise
from pytest_valgrind.reporting.line import CULPRIT, KIND, SOURCE, Line
from pytest_valgrind.reporting.paragraphs import Paragraph, carried_by
from pytest_valgrind.reporting.reports import LOGS

#: Of a reporter: what fails the run, in the order in which it is shown, and what does not.
_CATEGORIES = (("error", "failed"), ("xfailed",))
_COLOURS = {
    KIND: {"red": True, "bold": True},
    CULPRIT: {"yellow": True, "bold": True},
    SOURCE: {"cyan": True},
}

_Report = pytest.TestReport | pytest.CollectReport


class _Writer(Protocol):
    """What a report is written to: pytest's TerminalWriter, which knows if colours are wanted."""

    def line(self, s: str = "", **markup: bool) -> None: ...

    def sep(self, sepchar: str, title: str) -> None: ...


class ShortFailures:
    """Has the failures that are about findings shown in few lines."""

    def __init__(self, config: pytest.Config) -> None:
        verbose: int = config.option.verbose
        shows_log = option_named("show_log").value(config, config.option)
        self._shows_log = verbose > 0 or shows_log
        #: Whether a defect is shown in full only once.
        self._folds = verbose < 2  # as -vv of pytest shows everything

    # The outermost, as pytest's reporter writes the failures before its own yield.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        """Have the reports be as they are to be shown, for as long as they are shown."""
        groups = [list(_reports(terminalreporter, names)) for names in _CATEGORIES]
        before = [(made, made.longrepr, made.sections) for group in groups for made in group]
        for group in groups:
            self._shorten(group)
        try:
            return (yield)
        finally:
            for report, longrepr, sections in before:
                report.longrepr, report.sections = longrepr, sections

    def _shorten(self, reports: Iterable[_Report]) -> None:
        told = [
            (report, report.longrepr, made)
            for report in reports
            if (made := carried_by(report)) and isinstance(report.longrepr, Longrepr)
        ]
        defects = _Defects()
        for report, _, made in told if self._folds else ():
            for each in made:
                defects.note(report.nodeid, each)
        for report, longrepr, made in told:
            lines, is_short = defects.lines(report.nodeid, made)
            show = partial(self._write, lines, longrepr, hides_log=is_short)
            report.longrepr = shown_otherwise(longrepr, show)
        if not self._shows_log:
            for report in reports:
                report.sections = [each for each in report.sections if each[0] not in LOGS]

    def _write(
        self, lines: Iterable[Line], longrepr: Longrepr, writer: _Writer, *, hides_log: bool
    ) -> None:
        for line in lines:
            writer.line(line, **_COLOURS.get(line.part, {}))
        for name, content, rule in longrepr.sections:
            if name not in LOGS or (self._shows_log and not hides_log):
                writer.sep(rule, name)
                writer.line(content)


class _Defects:
    """The defects that reports are about, each of which is shown in full in the first of them."""

    def __init__(self) -> None:
        #: By defect: the tests that show it, in the order of their reports and each once.
        self._tests: dict[str, dict[str, None]] = {}
        self._shown: set[str] = set()

    def note(self, nodeid: str, made: Paragraph) -> None:
        """Take note of a paragraph in the report of a test, in the order of the reports."""
        if made.defect:
            self._tests.setdefault(made.defect, {})[nodeid] = None

    def lines(self, nodeid: str, made: Iterable[Paragraph]) -> tuple[list[Line], bool]:
        """Return the lines of a report, and whether all of its findings are shown in short."""
        lines: list[Line] = []
        has_stack = has_short = False
        was_compact = True  # of a header and of what is short, between which is no empty line
        for place, each in enumerate(made):
            is_short = each.defect in self._shown
            if is_short and not each.short:
                continue
            is_compact = is_short or place == 0
            if not (was_compact and is_compact):
                lines.append(Line(""))
            lines += self._short(nodeid, each) if is_short else self._full(each)
            has_stack |= bool(each.short) and not is_short
            has_short |= is_short
            was_compact = is_compact
        return lines, has_short and not has_stack

    def _full(self, made: Paragraph) -> Iterator[Line]:
        yield from made.lines
        tests = self._tests.get(made.defect, {})
        if tests:
            self._shown.add(made.defect)
        if len(tests) > 1 and made.short:
            yield Line(f"  the same in {plural(len(tests) - 1, 'more test')}")

    def _short(self, nodeid: str, made: Paragraph) -> Iterator[Line]:
        yield from made.short
        first = next(iter(self._tests[made.defect]))
        where = "above" if first == nodeid else f"in {first}"
        yield Line(f"  the same as {where}: {made.culprit}")


def _reports(reporter: pytest.TerminalReporter, categories: Iterable[str]) -> Iterator[_Report]:
    for category in categories:
        for report in reporter.stats.get(category, ()):
            # Plugins put other things there, too.
            if isinstance(report, pytest.TestReport | pytest.CollectReport):
                yield report
