"""What is known about the tests of a session: judged, logged and written down as it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Caller, PythonLine
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.attribution import LeakAttribution
from pytest_valgrind.leaks.groups import Unsettled
from pytest_valgrind.leaks.unattributed import undecided
from pytest_valgrind.recovery.journal import Journal
from pytest_valgrind.reporting.reports import named
from pytest_valgrind.session.item_judge import ItemJudge

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.recovery.leaks_before import LeaksBefore


class Conclusions:
    """Takes what was found, for the reports of tests or for the summary.

    :param judge: of tests, with the results of the session.
    :param check: knows leaks of which it is not known which test lost them.
    :param journal: in which it is written down.
    :param outside: calls a function so that what it allocates is no test's.
    """

    def __init__(
        self,
        judge: ItemJudge,
        check: LeakAttribution,
        journal: Journal,
        outside: Callable[..., object],
    ) -> None:
        self.judge = judge
        self._outside = outside
        self._check = check
        self.journal = journal
        self.results = judge.results
        # How much of them is in the journal.
        self._written = self.results.sizes
        self._unsettled_written = 0

    def take_outside(self, found: Sequence[Finding]) -> None:
        """Take errors that belong to no test or collector."""
        if found:
            self.judge.note_unexplained(found)
            self.results.outside.extend(self.judge.route(found))
            self.write_down()

    def take_before(self, before: LeaksBefore) -> None:
        """Take what the native engine found in a run before, and what it says of that run."""
        self.results.outside.extend(self.judge.route(before.outside))
        self.results.undecided_before = list(before.undecided)
        self.results.blindness = before.blindness
        self.results.native_run = f"heapcheck: {before.words}"
        if before.unchecked:
            self.results.native_run += f"; not checked for leaks: {named(before.unchecked)}"

    def take_import(self, nodeid: str, errors: Sequence[Finding]) -> None:
        """Take the errors raised while a collector was at work."""
        if errors:
            self.judge.note_unexplained(errors, nodeid)
        if found := self.judge.route(errors):
            if nodeid.endswith(".py"):
                module = Caller(PythonLine(nodeid, 0, "<module>"))
                found = [replace(finding, caller=module) for finding in found]
            found = self.judge.known_before.marked(nodeid, found)
            self.results.modules.setdefault(nodeid, []).extend(found)
            self.write_down()

    def take_left_open(
        self, session: pytest.Session, descriptors: Iterable[tuple[str, Finding]]
    ) -> None:
        """Take the descriptors that tests have left open.

        :param descriptors: each with the name of its test.
        """
        left: dict[str, list[Finding]] = {}
        for nodeid, found in descriptors:
            left.setdefault(nodeid, []).extend(self.judge.route([found]))
        if left:
            items = {item.nodeid: item for item in session.items}
            for nodeid, findings in left.items():
                self.judge.judge_late(nodeid, items[nodeid], findings)

    def settle_by_makers(
        self, session: pytest.Session, unsettled: Iterable[Unsettled]
    ) -> list[Unsettled]:
        """Run tests once more that made what was lost later; return what is unsettled still.

        One that loses the like of it again is to blame.
        """
        if self.judge.second_runs is None:
            return list(unsettled)
        items = {item.nodeid: item for item in session.items}
        by_maker: dict[str, list[Unsettled]] = {}
        for lost in unsettled:
            by_maker.setdefault(lost.finding.made_in, []).append(lost)
        left = []
        for nodeid, of_maker in by_maker.items():
            if nodeid not in items:
                left += of_maker
                continue
            leaks = [lost.finding for lost in of_maker]
            maker = ItemRun(items[nodeid], nodeid, place=0)
            again = self.judge.second_runs.lost_again(maker, leaks)
            left += [lost for lost, found in zip(of_maker, again, strict=True) if found is None]
            found = [replace(leak, made_in="") for leak in again if leak is not None]
            self.judge.judge_late(nodeid, items[nodeid], found)
        return left

    def conclude(self, settled: Iterable[ItemRun]) -> None:
        """Judge tests, log their reports, and write down what is known now."""
        settled = list(settled)
        if not settled:
            return
        self.judge.get_ready(settled)
        # All of them first: a hook that logs may raise an exception.
        changed = [test for test in settled if self.judge.judge(test)]
        for test in settled:
            self._outside(test.log)
        self.write_down(settled, changed)
        for test in settled:
            test.suspects = ()  # it is among those of others: a circle, for the garbage collector

    def count(self, settled: Iterable[ItemRun]) -> None:
        """Count tests by how far they got, before their reports are changed."""
        for test in settled:
            if test.is_unchecked:
                self.results.unchecked.append(test.nodeid)
            elif (call := test.call) and (not call.skipped or hasattr(call, "wasxfail")):
                self.results.tests += 1
                self.results.completed += call.passed

    def write_down(self, settled: Sequence[ItemRun] = (), changed: Sequence[ItemRun] = ()) -> None:
        """Have the parent know what is known by now, even if this process dies."""
        news = self.results.since(self._written)
        self._written = self.results.sizes
        unsettled = self._check.unsettled
        if len(unsettled) > self._unsettled_written:
            new = unsettled[self._unsettled_written :]
            self._unsettled_written = len(unsettled)
            news.undecided = undecided(lost for lost in new if self.judge.is_own(lost.finding))
        self.journal.settled(settled, changed, news)

    def finish_children(self, children: Children) -> None:
        """Take what was found in child processes that belong to no test, or outlived theirs."""
        children.notice(None)
        self.results.outside.extend(self.judge.route(children.findings(None)))
        for test, late in children.finish():
            findings = [self.judge.names.named(found, test) for found in self.judge.route(late)]
            self.judge.judge_late(test.nodeid, test.item, findings)
        self.results.children = children.count
        self.results.noise.extend(children.noise)
        self.results.of_system.extend(children.of_system)
