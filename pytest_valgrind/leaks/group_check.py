"""A leak check for each group of tests, which is one test or many: who lost what."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Origin
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.attribution import ProcessState
from pytest_valgrind.leaks.backend import CheckBackend, CheckResult
from pytest_valgrind.leaks.groups import Group, Queue, Unsettled
from pytest_valgrind.leaks.stale_pointers import overwrite_stale_pointers

# How much longer a check of the heap takes than a collection of its garbage, roughly; after the
# first check it is known.
_CHECK_TO_COLLECTION = 4
# What a clone has reported comes again with the next; more than so many loss records are worth a
# check in the process, which ends that.
_MOST_REPEATED = 100


class GroupCheck:
    """A check for each group of tests.

    The frame below which a test ran tells which of its group's tests allocated a lost block. With
    a group for each test, whatever is lost was lost by that test.

    :param backend: does the checks.
    :param state: what earlier checks of this process know.
    :param every_test: whether each test is a group of its own, and checked in the process.
    :param also_before: whether to check before every test as well, so that a block lost between
        two tests is never blamed on the second.
    :param settles_later: whether tests will be run again where it is not certain which of them has
        lost a block.
    """

    def __init__(
        self,
        backend: CheckBackend,
        state: ProcessState,
        *,
        every_test: bool = False,
        also_before: bool = False,
        settles_later: bool = False,
    ) -> None:
        self.outside: list[Finding] = []
        self.unsettled: list[Unsettled] = []
        self.checks = 0
        self.groups = 0
        self._backend = backend
        self._garbage = state.garbage
        self._item_numbers = item_numbers = state.item_numbers
        self.settles_at_once = every_test
        self._also_before = also_before
        self._settles_later = settles_later
        # Half of the numbers, as two groups are under way.
        self._queue = Queue(1 if every_test else item_numbers.numbers // 2, backend.share)
        self._loss_records = state.loss_records
        # Those before are of earlier sessions.
        self._first = item_numbers.last + 1
        self._knows_begin = False
        self._is_free_of_garbage = False

    def begin(self) -> None:
        """Take what is lost before the first test as lost outside the tests."""
        start = process_time()
        self._garbage.settle_everything()
        self._queue.expect((process_time() - start) * _CHECK_TO_COLLECTION)
        overwrite_stale_pointers()
        self.checks += 1
        if (checked := self._backend.remember()) is not None:
            self._lost_outside(checked)
            self._knows_begin = True

    @property
    def waiting(self) -> int:
        """Those of the open group and of the one that is being checked."""
        checked = self._queue.checked
        return len(self._queue.open.tests) + (len(checked.tests) if checked else 0)

    def before(self) -> None:
        """Get ready for a test, and check once more if asked to."""
        self._garbage.empty_free_lists()
        if self._also_before:
            overwrite_stale_pointers()
            self.checks += 1
            self._backend.start(in_process=False)
            self._lost_outside(self._backend.wait())

    def after(self) -> None:
        """Get ready for what pytest does until the next test begins.

        Its calls would take their arguments from what tests have left in the free lists, and be the
        only ones to know of them when there is a check.
        """
        if not self._backend.trusts_stack:
            self._garbage.empty_free_lists()

    def may_follow(self, test: ItemRun) -> bool:
        """Whether the group is likely to close, if that takes that there is no garbage.

        What has been taken out of collections and became garbage only then looks as lost as an
        object of which a reference was lost.
        """
        is_due = test.is_last or self._queue.would_be_due(test)
        if self._backend.sees_references and is_due:
            self._is_free_of_garbage = True
        return self._is_free_of_garbage

    def add(self, test: ItemRun) -> None:
        """Take a test that ran."""
        self._queue.add(test)

    def settled(self) -> list[ItemRun]:
        """Return the tests whose leaks are known by now; begin a check if it is time for one."""
        tests = self._ended()
        if self._queue.is_full and self._queue.checked is not None:
            tests += self._settle(self._backend.wait())
        if self._queue.is_full or self._queue.is_due:
            repeats = len(self._loss_records) > _MOST_REPEATED and not self._backend.sees_references
            self._close(in_process=repeats)
            tests += self._ended()
        # After the last test, its reports are all that comes before the next check, unless those of
        # a group come as well.
        self._is_free_of_garbage &= self._queue.is_at_end and not tests
        return tests

    def settle_all(self) -> list[ItemRun]:
        """Check what has not been checked, and what was lost after the last test."""
        tests = []
        if self._queue.checked is not None:
            tests += self._settle(self._backend.wait())
        self._close(in_process=False)
        self._is_free_of_garbage = False
        return tests + self._settle(self._backend.wait())

    def _close(self, *, in_process: bool) -> None:
        if self._is_free_of_garbage:
            self._garbage.settle()
        elif self._backend.sees_references:
            self._garbage.settle_everything(thoroughly=True)
        overwrite_stale_pointers()
        self.checks += 1
        self.groups += bool(self._queue.open.tests)
        self._queue.close()
        self._backend.start(in_process=in_process)

    def _ended(self) -> list[ItemRun]:
        if self._queue.checked is None:
            return []
        checked = self._backend.ended()
        return [] if checked is None else self._settle(checked)

    def _settle(self, checked: CheckResult) -> list[ItemRun]:
        if checked.is_late:
            self._queue.merge()
        # What it takes besides: that there is no garbage which it would take for lost.
        besides = self._garbage.price if self._backend.sees_references else 0.0
        group = self._queue.settle(checked.seconds + besides)
        self._compare_with_begin(checked, group)
        for lost in self._loss_records.grown(checked.records, in_process=checked.in_process):
            self._blame(lost, group)
        return group.tests

    def _compare_with_begin(self, checked: CheckResult, group: Group) -> None:
        """Take what was lost before the first test as lost outside the tests.

        Where each loss record says that it is of a test since then, there is none.
        """
        if self._knows_begin:
            return
        self._knows_begin = True
        new = self._loss_records.would_grow(checked.records)
        if all(self._was_made_since(record.origin, group) for record in new):
            self._backend.forget()
        else:
            self._lost_outside(self._backend.remembered())

    def _was_made_since(self, origin: Origin | None, group: Group) -> bool:
        if origin is None or origin.number is None:
            # What is known to be made between tests is taken as lost there.
            return origin is not None
        return self._item_numbers.place(origin.number, group.last) >= self._first

    def _lost_outside(self, checked: CheckResult) -> None:
        lost = self._loss_records.grown(checked.records, in_process=checked.in_process)
        self.outside.extend(lost)

    def _blame(self, lost: Finding, group: Group) -> None:
        origin = lost.origin
        if not group.tests or (origin is not None and origin.number is None):
            self.outside.append(lost)
            return
        alone = group.tests[0] if len(group.tests) == 1 else None
        if origin is None or origin.number is None:
            self._settle_or_not(lost, alone, group)
            return
        place = self._item_numbers.place(origin.number, group.last)
        maker = group.at(place)
        end = group.teardown_of(place)
        fixture: FixturePhase | None
        # What a thread made that goes on, it may have made for a test that came later.
        if maker and not (origin.in_thread and maker.leaves_threads and not alone):
            loser, fixture = maker, maker.fixture_at(place)
        elif end and not origin.in_thread:
            loser, fixture = end
        else:
            lost = replace(lost, made_in=self._item_numbers.name(place))
            self._settle_or_not(lost, alone, group)
            return
        if (
            self._settles_later
            and not alone
            and group.tests[-1] is not maker
            and not loser.is_known_to_leak
        ):
            rest = group.since(place) if maker else group
            lost = replace(lost, made_in=self._item_numbers.name(place))
            self.unsettled.append(Unsettled(lost, rest, knows_maker=maker is not None))
            return
        if not lost.kind.is_leak:  # seen by a check, but done by the test that made the block
            loser.findings.append(lost)
            return
        loser.findings.append(self._explained(lost, place, loser, fixture, group))

    def _settle_or_not(self, lost: Finding, loser: ItemRun | None, group: Group) -> None:
        if loser is None:
            self.unsettled.append(Unsettled(lost, group))
        else:
            loser.findings.append(lost)

    def _explained(
        self, lost: Finding, place: int, loser: ItemRun, fixture: FixturePhase | None, group: Group
    ) -> Finding:
        """Say in which phase of a fixture a block was lost, and in which tests it may be instead.

        :param place: where it was made.
        """
        maker = self._item_numbers.name(place)
        others = group.tail(place)
        if fixture is None:
            others = others.after(1)
            here = "Made here, lost here or in"
        else:
            lost = replace(lost, fixture=fixture.words, phase=fixture.when)
            here = "Made here, lost here or in"
            if fixture.place != place:
                lost = replace(lost, made_in=maker)
                here = f"Made in {maker}, lost in its teardown or in"
            elif fixture.setup:
                others = others.after(1)
            elif group.teardown_of(place):
                here = "Made here, lost here, in its teardown or in"
        loser.suspects = others
        if not others:
            return lost
        first, last = (_short_name(test, loser) for test in (others[0], others[-1]))
        rest = f"one of {first} to {last}" if len(others) > 1 else last
        return replace(lost, doubt=f"{here} {rest}.")


def _short_name(test: ItemRun, reader: ItemRun) -> str:
    """Return a test's name, with its file if the report in which it stands is of another file."""
    file, _, name = test.nodeid.partition("::")
    return name if name and file == reader.nodeid.partition("::")[0] else test.nodeid
