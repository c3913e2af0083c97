"""Group checks, over simulated processes: no valgrind, any order of events."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_process import NUMBERS, Loss, NoGarbage, Played, Process, Step

from pytest_valgrind.items import item_run
from pytest_valgrind.items.fixtures import FixturePhase
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.leaks.attribution import ProcessState
from pytest_valgrind.leaks.group_check import GroupCheck
from pytest_valgrind.leaks.groups import Group, Queue
from pytest_valgrind.leaks.loss_records import LossRecords

losses = st.builds(
    Loss, st.integers(0, 2), st.booleans(), st.booleans(), st.sampled_from([0, 0, 0, 1, 3])
)
steps = st.builds(
    Step,
    st.sampled_from([0.0, 0.1, 1.0, 30.0]),
    st.lists(losses, max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
    st.integers(0, 4),
    st.sampled_from([False, False, True]),
)
plays = st.builds(
    Played, st.lists(steps, max_size=30), has_clones=st.booleans(), every_test=st.booleans()
)


@settings(deadline=None)
@given(plays)
def test_each_test_is_logged_once_and_in_order(played: Played) -> None:
    """It is, whatever the durations and the times of the checks."""
    places = [test.place for test in played.logged]
    assert places == list(range(len(places)))


@settings(deadline=None)
@given(plays)
def test_each_lost_block_is_reported_once(played: Played) -> None:
    """It is on a test, unsettled, or outside the tests."""
    assert played.reported == played.lost


@settings(deadline=None)
@given(st.lists(steps, max_size=30), st.booleans(), st.booleans())
def test_number_tells_the_test(plan: list[Step], has_clones: bool, every_test: bool) -> None:
    """A block that is lost where it was made is on that test."""
    plan = [
        step._replace(
            losses=tuple(
                loss for loss in step.losses if loss.is_numbered and loss.tests_later == 0
            ),
            leaves_threads=False,
        )
        for step in plan
    ]
    played = Played(plan, has_clones=has_clones, every_test=every_test)
    assert [sum(lost.blocks for lost in test.findings) for test in played.logged] == [
        len(step.losses) for step in plan
    ]


@settings(deadline=None)
@given(st.lists(steps, max_size=30))
def test_with_a_check_for_every_test_it_is_the_test_that_lost_it(plan: list[Step]) -> None:
    """It does not matter which test made the block, and the process itself checks."""
    played = Played(plan, has_clones=False, every_test=True)
    lost = [0] * len(plan)
    for index, step in enumerate(plan):
        for loss in step.losses:
            if index + loss.tests_later < len(plan):
                lost[index + loss.tests_later] += 1
    assert [sum(found.blocks for found in test.findings) for test in played.logged] == lost


def loses(*losses: Loss, leaves_threads: bool = False) -> Step:
    """Return a test that runs for a moment."""
    return Step(0.0, losses, ends_module=False, leaves_threads=leaves_threads, patience=0)


def test_what_was_lost_before_the_first_test_is_outside() -> None:
    """It has no number, and neither has a block of an unknown stack in a test."""
    unknown = Loss(9, is_numbered=False, in_thread=False, tests_later=0)
    played = Played([loses(unknown), loses()], has_clones=True, every_test=False)
    assert [lost.blocks for lost in played.check.outside] == [3]
    assert [lost.finding.blocks for lost in played.check.unsettled] == [1]


def test_block_of_a_thread_that_goes_on_is_unsettled() -> None:
    """It may have been made for a later test; the test that started the thread is named."""
    of_thread = Loss(1, is_numbered=True, in_thread=True, tests_later=0)
    plan = [loses(), loses(of_thread, leaves_threads=True)]
    (lost,) = Played(plan, has_clones=True, every_test=False).check.unsettled
    assert lost.finding.made_in == "t1"
    assert [test.nodeid for test in lost.group.tests] == ["t0", "t1"]


def test_block_of_an_earlier_group_is_unsettled() -> None:
    """The test that made it is named."""
    late = Loss(1, is_numbered=True, in_thread=False, tests_later=2)
    plan = [loses(late)._replace(seconds=1000.0), loses(), loses()]
    (lost,) = Played(plan, has_clones=False, every_test=False).check.unsettled
    assert lost.finding.made_in == "t0"
    assert [test.nodeid for test in lost.group.tests] == ["t1", "t2"]


def test_maker_that_is_not_the_last_of_its_group_is_blamed_with_a_doubt() -> None:
    """The block may have been lost by one of those after it."""
    leak = Loss(1, is_numbered=True, in_thread=False, tests_later=0)
    played = Played([loses(leak), loses(), loses(leak)], has_clones=False, every_test=False)
    first, _, last = (test.findings for test in played.logged)
    assert [lost.doubt for lost in first] == ["Made here, lost here or in one of t1 to t2."]
    assert [lost.doubt for lost in last] == [""]


def test_places_between_tests_are_of_the_phases_of_fixtures_in_them() -> None:
    """They belong to the test at whose beginning or end they were."""
    group = Group()
    setup = FixturePhase("the setup of fixture db (module scope)", place=4)
    teardown = FixturePhase("the teardown of fixture db (module scope)", None, setup, place=6)
    for place, phases in ((3, [setup]), (5, [teardown])):
        test = ItemRun(cast(pytest.Item, None), f"t{place}", place)
        test.fixtures = phases
        group.tests.append(test)
    first, second = group.tests
    assert [group.at(place) for place in range(2, 8)] == [None, first, first, second, second, None]
    assert first.fixture_at(3) is None
    assert first.fixture_at(4) is setup
    assert group.teardown_of(4) == (second, teardown)
    assert (group.last, group.places) == (6, 4)
    assert group.since(5).tests == [second]


class CountedGarbage(NoGarbage):
    """Counts how often everything is looked at."""

    looks = 0

    def settle(self) -> None:
        """Do nothing: that looks at what is new."""

    def settle_everything(self, *, thoroughly: bool = False) -> None:
        """Count it."""
        del thoroughly
        self.looks += 1


@pytest.mark.parametrize(
    ("is_last", "seconds", "looks"), [(True, 1000.0, 2), (True, 0.0, 2), (False, 1000.0, 3)]
)
def test_everything_is_looked_at_once_at_the_end(is_last: bool, seconds: float, looks: int) -> None:
    """What was looked at after the last test need not be looked at for the last check.

    Under valgrind it takes a second.
    """
    process, item_numbers = Process(has_clones=False), ItemNumbers(NUMBERS)
    process.sees_references = True
    garbage = CountedGarbage(freeze=True)
    check = GroupCheck(process, ProcessState(garbage, item_numbers, LossRecords()))
    check.begin()
    test = ItemRun(cast(pytest.Item, None), "t0", item_numbers.enter("t0"))
    test.seconds, test.is_last = seconds, is_last
    if check.may_follow(test):  # as the runner does
        garbage.settle_everything(thoroughly=True)
    check.add(test)
    check.settled()
    check.settle_all()
    assert garbage.looks == looks


def test_everything_is_looked_at_again_after_reports_of_other_tests() -> None:
    """Those that a check held back until the last test had run: they leave garbage."""
    process, item_numbers = Process(has_clones=True), ItemNumbers(NUMBERS)
    process.sees_references = True
    garbage = CountedGarbage(freeze=True)
    check = GroupCheck(process, ProcessState(garbage, item_numbers, LossRecords()))
    check.begin()
    process.patience = 1  # its check ends after the next test
    for name, seconds, is_last in (("t0", 1000.0, False), ("t1", 0.0, True)):
        test = ItemRun(cast(pytest.Item, None), name, item_numbers.enter(name))
        test.seconds, test.is_last = seconds, is_last
        if check.may_follow(test):  # as the runner does
            garbage.settle_everything(thoroughly=True)
        check.add(test)
        settled = check.settled()
    assert [settled_test.nodeid for settled_test in settled] == ["t0"]
    looks = garbage.looks
    check.settle_all()
    assert garbage.looks == looks + 1


def test_tail_is_a_view_of_the_tests_from_one_on() -> None:
    """Thousands of leaks of a group of thousands would have millions of copies."""
    group = Group()
    group.tests = [ItemRun(cast(pytest.Item, None), f"t{place}", place) for place in range(5)]
    tail = group.tail(2)
    assert [*tail] == group.tests[2:]
    assert (len(tail), tail[0], tail[-1]) == (3, group.tests[2], group.tests[4])
    assert [*tail.after(1)] == tail[1:] == group.tests[3:]
    assert [*group.tail(9)] == [*tail.after(7)] == []


def test_group_of_one_settles_everything() -> None:
    """Its only test lost it, whoever made it."""
    unknown = Loss(1, is_numbered=False, in_thread=False, tests_later=0)
    played = Played([loses(unknown)], has_clones=True, every_test=False)
    assert [lost.blocks for lost in played.logged[0].findings] == [1]


def ran(seconds: float, *, ends_module: bool = False) -> ItemRun:
    """Return a test that ran for so long."""
    test = ItemRun(cast(pytest.Item, None), "t", 0)
    test.seconds = seconds
    test.ends_module = ends_module
    return test


@pytest.mark.parametrize(
    ("seconds", "ends_module", "is_due"),
    [(24, False, False), (26, False, True), (12, True, False), (13, True, True)],
)
def test_group_is_due_when_a_check_is_cheap(
    seconds: float, ends_module: bool, is_due: bool
) -> None:
    """Four per cent of the group's time is cheap, and eight at the end of a module."""
    queue = Queue(100)
    queue.expect(1.0)
    queue.add(ran(seconds, ends_module=ends_module))
    assert queue.is_due is is_due


def test_group_must_be_worth_the_garbage_collection_as_well() -> None:
    """Everything is collected before a check that takes garbage for lost."""
    process = Process(has_clones=True)
    process.sees_references = True
    garbage = NoGarbage(freeze=False)
    garbage.price = 10.0
    check = GroupCheck(process, ProcessState(garbage, ItemNumbers(NUMBERS), LossRecords()))
    check.begin()
    groups = []
    for seconds in (1.0, 200.0, 100.0):
        check.add(ran(seconds))
        check.settled()
        groups.append(check.groups)
    assert groups == [1, 1, 2]


def test_time_in_which_a_test_waits_counts_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a suite that waits, and a busy machine, would have too many checks."""
    monkeypatch.setattr(item_run, "process_time", lambda: 3.0)
    monkeypatch.setattr(item_run, "perf_counter", lambda: 50.0)
    assert item_run.effort() == pytest.approx(8.0)


def test_no_check_while_another_is_under_way() -> None:
    """The group grows meanwhile."""
    queue = Queue(100)
    queue.add(ran(1000))
    queue.close()
    queue.add(ran(1000))
    assert not queue.is_due
    queue.settle(1.0)
    assert queue.is_due


def test_no_check_after_the_last_test() -> None:
    """The check at the end of the session is near."""
    queue = Queue(100)
    last = ran(1000)
    last.is_last = True
    queue.add(last)
    assert not queue.is_due
