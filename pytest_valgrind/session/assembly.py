"""The parts of a session that is checked, built in the one order that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_valgrind.findings.results import Results
from pytest_valgrind.leaks.attribution import Mode, ProcessState
from pytest_valgrind.leaks.garbage import Garbage, NoGarbage
from pytest_valgrind.session.conclusions import Conclusions
from pytest_valgrind.session.item_judge import ItemJudge
from pytest_valgrind.session.item_runner import ItemRunner
from pytest_valgrind.session.stack_names import StackNames

if TYPE_CHECKING:
    from pytest_valgrind.session.engine import Engine, LeftOpen, Say
    from pytest_valgrind.session.process import Process
    from pytest_valgrind.session.timeouts import Timeouts
    from pytest_valgrind.settings import Settings


class Parts(NamedTuple):
    """What works together in a session."""

    engine: Engine
    state: ProcessState
    mode: Mode
    timeouts: Timeouts
    #: None where nobody knows open descriptors.
    descriptors: LeftOpen | None
    conclusions: Conclusions
    runner: ItemRunner


def assemble(settings: Settings, process: Process, workers: int, say: Say) -> Parts:
    """Build the parts of a session.

    :param workers: how many processes run tests at the same time, this one included.
    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """
    engine = process.engine(settings)
    # First of all: what it finds from here on belongs to this session.
    found_before = engine.begin(settings, say)
    before = process.leaks_before
    garbage: Garbage = NoGarbage()
    if before is None:
        garbage = Garbage(freeze=settings.freeze, spare=engine.spare_seconds)
    state = ProcessState(garbage, process.item_numbers, process.loss_records)
    mode = engine.choose_check(settings, state, workers)
    timeouts = engine.timeouts(settings)
    descriptors = engine.descriptors(process.item_numbers)
    # From here on, what is started is a child of a test, or of a conftest.
    children = engine.follow_children(settings)
    judge = ItemJudge(
        settings,
        Results(),
        StackNames(process.item_numbers),
        children,
        tracks_descriptors=descriptors is not None,
    )
    conclusions = Conclusions(judge, mode.check, process.journal, engine.outside)
    runner = ItemRunner(engine, state, mode.check, conclusions, children)
    if settings.pinpoint:
        judge.pinpoint = engine.pinpoint(runner.run_alone)
    judge.second_runs = engine.second_runs(settings, runner.run_alone, process.item_numbers)
    if before is not None:
        judge.found_before = dict(before.by_test)
        conclusions.take_before(before)
    conclusions.take_outside(found_before)
    return Parts(engine, state, mode, timeouts, descriptors, conclusions, runner)
