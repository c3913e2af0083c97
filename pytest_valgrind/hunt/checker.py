"""The plugin ``leaks_checker``: repeats each test before it runs, and says what has grown."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from time import process_time  # by name, as tests replace the functions of the module
from typing import Any, NamedTuple

import pytest

from pytest_valgrind.findings.baseline import NONE, Baseline
from pytest_valgrind.hunt import naming, reports
from pytest_valgrind.hunt.caches import warm_caches
from pytest_valgrind.hunt.counters import Counters
from pytest_valgrind.hunt.leaks import Leaks, identity_of
from pytest_valgrind.hunt.objects_of_pytest import ObjectsOfPytest
from pytest_valgrind.hunt.observer import Observer
from pytest_valgrind.hunt.repetition import Repetition
from pytest_valgrind.hunt.rules import DoublingWindows, EachRun, Repeat, Rule
from pytest_valgrind.items.deferred_reports import DeferredReports
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.markers import KNOWN_LEAK, NO_LEAK_CHECK, reason_of
from pytest_valgrind.settings import Settings

#: Of the fixture by which a test gets the plugin.
_FIXTURE = "leaks_checker"
# As pytest-leaks has them.
_STAB = 5
_RUN = 4


class HuntSettings(NamedTuple):
    """What the user asked for; numbers are None where none is given."""

    stab: int | None
    run: int | None
    #: Runs after which a test may be clean.
    repetitions: int
    #: Seconds for which a test is repeated in which something grows.
    seconds: float
    #: Whether a leak fails its test, by the rule of doubling windows.
    fails: bool
    #: Whether the collector need not look at what is kept.
    freeze: bool
    #: What is expected to leak, as it did before.
    known_before: Baseline = NONE

    @classmethod
    def of(cls, settings: Settings) -> HuntSettings:
        """Return what the options say of it, the command line's numbers before the ini file's."""
        stab, run = settings.leaks or (None, None)
        return cls(
            settings.leaks_stab if stab is None else stab,
            settings.leaks_run if run is None else run,
            settings.leaks_repetitions,
            settings.leaks_seconds,
            settings.leaks_fail == "yes",
            settings.freeze,
            settings.known_before,
        )

    @property
    def is_doubling(self) -> bool:
        """Whether the runs double, rather than be of given numbers."""
        return self.stab is None and self.run is None


class LeakChecker:
    """Hunts for leaks in each test of a session."""

    def __init__(self, settings: HuntSettings) -> None:
        self._settings = settings
        #: Runs to warm up, and that are compared, if they do not double.
        self.stab = _STAB if settings.stab is None else settings.stab
        self.run = _RUN if settings.run is None else settings.run
        # With runs of given numbers, the numbers are those of pytest-leaks.
        self._counters = Counters(freezes=settings.freeze, counts_items=settings.is_doubling)
        self._garbage = Garbage(freeze=settings.freeze)
        self._of_pytest = ObjectsOfPytest(freezes=settings.freeze)
        self._reports: DeferredReports | None = None
        self._fixtures: set[pytest.FixtureDef[Any]] = set()
        self._used: set[str] = set()
        self._start = process_time()
        # About the test that runs.
        self._item: pytest.Item | None = None
        self._leaks: Leaks | None = None
        self._repetition: Repetition | None = None
        self._is_repeating = False
        warm_caches()

    def hunt_leaks(self, func: Callable[[], object]) -> Leaks:
        """Call a function again and again, and return what has grown: nothing if it is empty.

        Whatever it raises is raised.
        """

        def repeat(times: int) -> bool:
            for _ in range(times):
                func()
            return True

        observer = Observer(self._counters, self._garbage, lambda: None)
        return self._hunt(observer, repeat) or Leaks()

    def _hunt(self, observer: Observer, repeat: Repeat) -> Leaks | None:
        rule: Rule
        if self._settings.is_doubling:
            rule = DoublingWindows(self._settings.repetitions, self._settings.seconds)
        else:
            rule = EachRun(self.stab, self.run)
        leaks = rule.hunt(observer, repeat)
        if leaks:
            leaks.names = naming.names(leaks, observer, partial(repeat, 1))
            # What that has looked at is frozen, and may be in a cycle (CPython 3.10).
            self._settle_everything()
        return leaks

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Repeat a test; pytest runs it after that, as if it were for the first time."""
        self._item, self._leaks, self._repetition = item, None, None
        if marker := item.get_closest_marker(NO_LEAK_CHECK):
            if marker.kwargs.get("fail"):
                self._leaks = Leaks.not_checked(marker.kwargs.get("reason", ""))
            return
        if _FIXTURE in getattr(item, "fixturenames", ()):
            return  # it hunts by itself, in the midst of which objects would be frozen
        if self._reports is None:
            self._reports = DeferredReports(item.session, None)
        self._used.clear()
        self._repetition = Repetition(item, self._reports, self._fixtures, self._used)
        observer = Observer(self._counters, self._garbage, self._repetition.tidy)
        self._of_pytest.leave_out(item.session)
        self._is_repeating = True
        self._counters.untracked.watch(getattr(item, "module", None))
        try:
            self._leaks = self._hunt(observer, self._repetition.repeat)
        finally:
            self._is_repeating = False
            self._counters.untracked.watch(None)
        if self._leaks:
            # JUnit XML has the properties of the last report.
            item.user_properties.append(("leaks", str(self._leaks)))
        ends_module = nextitem is None or nextitem.path != item.path
        if ends_module and self._garbage.may_settle_everything(process_time() - self._start):
            self._settle_everything()

    def _settle_everything(self) -> None:
        self._garbage.settle_everything()
        self._of_pytest.forget()

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Know which fixtures a test uses, and which stay from one repetition to the next."""
        self._used.add(fixturedef.argname)
        if fixturedef.scope != "function":
            self._fixtures.add(fixturedef)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Have the reports of a test say what was found."""
        report = yield
        # Of a repetition, which goes on.
        if item is not self._item or self._is_repeating:
            return report
        if self._repetition is not None:
            reports.give_failure(report, self._repetition.last)
        if self._leaks and call.when == "call":
            reports.give(
                report,
                self._leaks,
                fails=self._settings.fails and self._settings.is_doubling,
                known=self._why_known(item, self._leaks),
            )
        return report

    def _why_known(self, item: pytest.Item, leaks: Leaks) -> str | None:
        """Return the reason for which a leak is expected, None if it is not."""
        if marker := item.get_closest_marker(KNOWN_LEAK):
            return reason_of(marker)
        before = self._settings.known_before
        return before.reason if before.knows(item.nodeid, identity_of(leaks)) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Say LEAKED of what has."""
        return reports.status(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what has leaked."""
        reports.write_summary(terminalreporter)
