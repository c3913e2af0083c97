"""A process whose tests lose blocks as planned, and what valgrind would know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, cast

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Origin
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.attribution import ProcessState
from pytest_valgrind.leaks.backend import CheckResult
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.leaks.group_check import GroupCheck
from pytest_valgrind.leaks.loss_records import LossRecords

NUMBERS = 8


class Loss(NamedTuple):
    """A block that a test makes and that is lost then, or some tests later."""

    call_site: int
    is_numbered: bool
    in_thread: bool
    tests_later: int


class Step(NamedTuple):
    """A test."""

    seconds: float
    losses: tuple[Loss, ...]
    ends_module: bool
    leaves_threads: bool
    #: How often the process asks for the end of a check that begins after this test.
    patience: int
    #: Whether the clone dies that begins then.
    dies: bool = False


class NoGarbage(Garbage):
    """Collections of this process's garbage would take all the time."""

    def empty_free_lists(self) -> None:
        """Do nothing."""

    def settle_everything(self, *, thoroughly: bool = False) -> None:
        """Do nothing."""


class Process:
    """What valgrind knows about a process, and how it answers."""

    share = 0.04
    sees_references = False
    trusts_stack = True

    def __init__(self, *, has_clones: bool) -> None:
        self.lost: Counter[tuple[int, Origin | None]] = Counter()
        self.patience = 0
        self.dies = False
        self._dead = False
        self._has_clones = has_clones
        self._at_last_check: Counter[tuple[int, Origin | None]] = Counter()
        self._checked: CheckResult | None = None
        self._remembered: CheckResult | None = None

    def remember(self) -> CheckResult | None:
        """Check at the beginning."""
        if not self._has_clones:
            return self._check(in_process=True)
        self._remembered = self._check(in_process=False)
        return None

    def remembered(self) -> CheckResult:
        """Return that check."""
        assert self._remembered is not None
        return self._remembered

    def forget(self) -> None:
        """Give it up."""
        self._remembered = None

    def start(self, *, in_process: bool) -> None:
        """Check."""
        assert self._checked is None
        self._checked = self._check(in_process=in_process or not self._has_clones)
        self._dead = self.dies and not self._checked.in_process

    def ended(self) -> CheckResult | None:
        """Return the result, but a clone's not at once."""
        if self._checked is None or not self._checked.in_process:
            self.patience -= 1
            if self.patience >= 0:
                return None
        return self.wait() if self._checked else None

    def wait(self) -> CheckResult:
        """Return the result."""
        checked, self._checked = self._checked, None
        assert checked is not None
        return self._check(in_process=True)._replace(is_late=True) if self._dead else checked

    def _check(self, *, in_process: bool) -> CheckResult:
        grown = self.lost - self._at_last_check
        if in_process:
            self._at_last_check = self.lost.copy()
        records = [
            Finding(
                Kind.DEFINITE, "", (Frame(site, "f"),), origin=origin, bytes=blocks, blocks=blocks
            )
            for (site, origin), blocks in grown.items()
        ]
        return CheckResult(records, in_process, seconds=0.5)


class Played:
    """A session that was played to its end."""

    def __init__(self, plan: Sequence[Step], *, has_clones: bool, every_test: bool) -> None:
        self.lost_before: Counter[int] = Counter()
        self.logged: list[ItemRun] = []
        process = Process(has_clones=has_clones)
        item_numbers = ItemNumbers(NUMBERS)
        state = ProcessState(NoGarbage(freeze=False), item_numbers, LossRecords())
        self.check = GroupCheck(process, state, every_test=every_test)
        process.lost[9, None] = 3
        self.check.begin()
        due: dict[int, list[tuple[int, Origin | None]]] = {}
        for index, step in enumerate(plan):
            self.check.before()
            test = ItemRun(cast(pytest.Item, None), f"t{index}", item_numbers.enter(f"t{index}"))
            test.seconds = step.seconds
            test.ends_module = step.ends_module
            test.leaves_threads = step.leaves_threads
            test.is_last = index == len(plan) - 1
            for loss in step.losses:
                number = index % NUMBERS
                origin = Origin(number, loss.in_thread) if loss.is_numbered else None
                due.setdefault(index + loss.tests_later, []).append((loss.call_site, origin))
            process.lost.update(due.pop(index, []))
            process.patience = step.patience
            process.dies = step.dies
            self.check.add(test)
            self.logged += self.check.settled()
        process.lost.update(block for blocks in due.values() for block in blocks)
        self.logged += self.check.settle_all()
        self.lost = process.lost

    @property
    def reported(self) -> Counter[tuple[int, Origin | None]]:
        """All lost blocks in the reports."""
        found = [finding for test in self.logged for finding in test.findings]
        found += [lost.finding for lost in self.check.unsettled]
        found += self.check.outside
        blocks: Counter[tuple[int, Origin | None]] = Counter()
        for finding in found:
            blocks[finding.stack[0].address, finding.origin] += finding.blocks
        return blocks
