"""What a terminal shows of reports, and files have of them, natively: no engine has made them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Caller, Frame, Owner, PythonLine
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.reporting.reports import give
from pytest_valgrind.reporting.short_failures import ShortFailures

WORK = Frame(1, "work", "ext.c", 7, owner=Owner.EXTENSION)
OTHER = Frame(2, "other", "ext.c", 9, owner=Owner.EXTENSION)
CALL = Frame(3, "call", "ceval.c", 1, owner=Owner.INTERPRETER)
RAW = "==7== 8 bytes in 1 blocks are definitely lost"
LEAK = Finding(Kind.DEFINITE, "lost", (WORK, CALL), bytes=8, blocks=1, raw=RAW)
ERROR = Finding(Kind.INVALID_READ, "Invalid read of size 1", (OTHER,), phase="call")
FAILED = Verdict(Outcome.FAILED, "[VALGRIND LEAK]")
# Of the lines after a failure.
_ENDS = ("___", "===", "- generated xml")


def lost(size: int, test: str, fixture: str = "") -> Finding:
    """Return a leak of so many bytes in a test."""
    caller = Caller(PythonLine("test_it.py", 5, test), is_test=True)
    return replace(LEAK, bytes=size, caller=caller, fixture=fixture)


class Findings:
    """A plugin that does to reports what an engine does.

    :param found: in each test, by its name.
    :ivar texts: of failures, when all is over, by the same.
    """

    def __init__(self, found: Mapping[str, Sequence[Finding]], verdict: Verdict = FAILED) -> None:
        self._found = found
        self._verdict = verdict
        self._reports: list[pytest.TestReport] = []
        self.texts: dict[str, str] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(ShortFailures(config))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" and (findings := self._found.get(item.name)):
            fails = self._verdict.outcome is Outcome.FAILED
            give(self._verdict, findings, [report], xfail_failures=fails)
            self._reports.append(report)
        return report

    def pytest_unconfigure(self) -> None:
        self.texts = {made.nodeid.split("::")[1]: str(made.longrepr) for made in self._reports}


class Reports:
    """A plugin that logs reports of which no test is."""

    def __init__(self, *reports: pytest.TestReport | pytest.CollectReport) -> None:
        self._reports = reports

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(ShortFailures(config))

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        for report in self._reports:
            is_of_test = isinstance(report, pytest.TestReport)
            hook = session.ihook
            log = hook.pytest_runtest_logreport if is_of_test else hook.pytest_collectreport
            log(report=report)


class Shown:
    """What a run has printed and written."""

    def __init__(self, pytester: pytest.Pytester, plugin: object, *options: str) -> None:
        names = ("one", "two", "three")
        pytester.makepyfile(test_it="".join(f"def test_{name}():\n    pass\n" for name in names))
        run = pytester.runpytest_inprocess(
            *("-p", "pytest_valgrind.plugin", "-p", "no:cacheprovider", "--junitxml=junit.xml"),
            *options,
            plugins=[plugin],
        )
        self.code = run.ret
        self.output = run.stdout.str()
        self.xml = (pytester.path / "junit.xml").read_text()
        cases = ElementTree.fromstring(self.xml).iter("testcase")
        self.cases = {case.get("name"): "".join(case.itertext()) for case in cases}

    def failure(self, name: str) -> list[str]:
        """Return the lines below the title of a test."""
        _, _, rest = self.output.partition(f"_ {name} _")
        lines = rest.splitlines()[1:]
        ends = (n for n, line in enumerate(lines) if line.startswith(_ENDS))
        return lines[: next(ends, len(lines))]


SAME = {"test_one": [lost(8, "test_one")], "test_two": [lost(9, "test_two")]}
