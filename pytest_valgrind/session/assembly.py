"""The parts of a session that is checked, built in the one order that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_valgrind.findings.results import Results
from pytest_valgrind.leaks.attribution import ProcessState
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.memcheck.mode import Mode, choose
from pytest_valgrind.session.conclusions import Conclusions
from pytest_valgrind.session.item_judge import ItemJudge
from pytest_valgrind.session.item_runner import ItemRunner
from pytest_valgrind.session.stack_names import StackNames
from pytest_valgrind.session.timeouts import Timeouts

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.memcheck.descriptors import Descriptors
    from pytest_valgrind.session.memcheck import Memcheck, Say
    from pytest_valgrind.session.process import Process
    from pytest_valgrind.settings import Settings


class Parts(NamedTuple):
    """What works together in a session."""

    memcheck: Memcheck
    state: ProcessState
    mode: Mode
    timeouts: Timeouts
    #: Processes that tests start, None if they are not checked.
    children: Children | None
    #: None where valgrind does not track them.
    descriptors: Descriptors | None
    conclusions: Conclusions
    runner: ItemRunner


def assemble(settings: Settings, process: Process, workers: int, say: Say) -> Parts:
    """Build the parts of a session.

    :param workers: how many processes run tests at the same time, this one included.
    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """
    memcheck = process.memcheck(settings)
    # Memcheck is set up first: what it finds from here on belongs to this session.
    found_before = memcheck.begin(settings, say)
    monitor = memcheck.monitor
    state = ProcessState(
        Garbage(freeze=settings.freeze), process.item_numbers, process.loss_records
    )
    mode = choose(settings, monitor, state, workers=workers)
    run_directory = process.run_directory
    timeouts = Timeouts(
        settings.timeout,
        settings.timeout_factor,
        monitor,
        run_directory.python_stacks if run_directory else None,
    )
    descriptors = None
    if memcheck.info.tracks_descriptors:
        from pytest_valgrind.memcheck.descriptors import Descriptors

        descriptors = Descriptors(monitor, process.item_numbers)
    # From here on, what is started is a child of a test, or of a conftest.
    children = memcheck.follow_children(settings)
    judge = ItemJudge(
        settings,
        Results(),
        StackNames(process.item_numbers),
        children,
        tracks_descriptors=memcheck.info.tracks_descriptors,
    )
    conclusions = Conclusions(judge, mode.check, process.journal)
    runner = ItemRunner(monitor, state, mode.check, conclusions, children)
    if settings.pinpoint:
        from pytest_valgrind.pinpoint.pinpoint import Pinpoint

        judge.pinpoint = Pinpoint(monitor, runner.run_alone)
    conclusions.take_outside(found_before)
    return Parts(memcheck, state, mode, timeouts, children, descriptors, conclusions, runner)
