"""Which leak check a session gets: the one asked for, or the nearest that is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_valgrind.leaks.attribution import Mode, NoCheck, ProcessState
from pytest_valgrind.leaks.backend import CheckBackend
from pytest_valgrind.leaks.cores import cores
from pytest_valgrind.leaks.group_check import GroupCheck
from pytest_valgrind.memcheck.check_backends import InClone, InProcess
from pytest_valgrind.memcheck.stack_depth import callers_in_force, callers_needed
from pytest_valgrind.memcheck.valgrind_info import options_from_elsewhere

if TYPE_CHECKING:
    from pytest_valgrind.memcheck.monitor import MemcheckMonitor
    from pytest_valgrind.memcheck.valgrind_info import ValgrindInfo
    from pytest_valgrind.settings import Settings


def choose(
    settings: Settings,
    monitor: MemcheckMonitor,
    state: ProcessState,
    *,
    workers: int = 1,
) -> Mode:
    """Return the leak check that was asked for, or the one that can take its place.

    :param workers: how many processes run tests at the same time, this one included.
    """
    if not settings.memcheck:
        return Mode(NoCheck(), "errors only, no leaks")
    why_exact = _obstacle(settings, monitor)
    if settings.leak_check == "exact" or why_exact:
        check = exact(
            monitor,
            state,
            references=settings.references,
            also_before=settings.memcheck_before,
        )
        reason = f" ({why_exact})" if why_exact else ""
        return Mode(check, f"errors, and leaks after every test{reason}")
    description = "errors, and leaks in groups of tests"
    if why_at_once := _reason_to_wait(settings, monitor.info):
        description += f" (tests wait for each check: {why_at_once})"
    backend = InClone(
        monitor,
        untracks=settings.references,
        at_once=bool(why_at_once),
        is_crowded=workers >= cores(),
    )
    check = GroupCheck(
        backend,
        state,
        settles_later=settings.exact_rerun,
    )
    return Mode(check, description)


def exact(
    monitor: MemcheckMonitor,
    state: ProcessState,
    *,
    references: bool,
    also_before: bool = False,
) -> GroupCheck:
    """Return a check after every test.

    :param references: whether lost references are looked for, which only a clone can do.
    """
    backend: CheckBackend = InProcess(monitor)
    if references and monitor.log_of_clone:
        backend = InClone(monitor, untracks=True, at_once=True)
    return GroupCheck(backend, state, every_test=True, also_before=also_before)


def _reason_to_wait(settings: Settings, info: ValgrindInfo) -> str:
    if cores() < 2:
        return "one core"
    if settings.gen_suppressions and not info.logs_processes_apart:
        # Valgrind prints them without saying which process they are from.
        return "one log for the suppressions of all processes"
    return ""


def _obstacle(settings: Settings, monitor: MemcheckMonitor) -> str:
    """Return why tests cannot be told apart by the stacks of what they lose, if so."""
    if settings.leak_check == "exact":
        return ""
    if settings.memcheck_before:
        return "--memcheck-before-func"
    if monitor.info.log is None:
        return "the log is not in a file"
    options = [*options_from_elsewhere(), *monitor.info.options]
    resolution = [option for option in options if option.startswith("--leak-resolution=")]
    if resolution and resolution[-1] != "--leak-resolution=high":
        return f"{resolution[-1]} does not tell tests apart"
    callers = callers_in_force(monitor.printed)
    needed = callers_needed(monitor.printed)
    if callers < needed:
        return f"--num-callers={callers} is too few to tell tests apart, which takes {needed}"
    return ""
