"""Which part a pytest session has in limits: it measures, or starts again so that it can."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind import pytest_internals, running_on_valgrind, session_kind
from pytest_valgrind.limits import engine_start
from pytest_valgrind.limits.limit_marks import Limits, limits_of
from pytest_valgrind.limits.problem_status import ProblemStatus
from pytest_valgrind.option_table import option_named

if TYPE_CHECKING:
    from pytest_valgrind.heap.engine import Engine

#: By which pytest-memray's plugin is known.
_MEMRAY = "memray_manager"
_NOT_CHECKED = "limits to the memory of tests are not checked: "


def start_early(config: pytest.Config) -> None:
    """Start again with the engine before anything is imported, as limits are known to be there.

    Where that cannot be, the session says so when it has collected tests.
    """
    option = config.known_args_namespace
    if (
        not session_kind.tests_will_run(option)
        or option.collectonly
        or session_kind.is_distributed(option)
        or session_kind.is_of_launcher(config)
        or session_kind.is_started_by_execnet()
    ):
        return
    try:
        command = engine_start.command_to_start_again()
    except pytest.UsageError:
        return
    engine_start.replace_process(command)


def prepare_workers(config: pytest.Config) -> None:
    """Have the workers that pytest-xdist starts begin with the engine."""
    if sys.platform == "linux":
        os.environ.update(engine_start.changes())
        config.add_cleanup(engine_start.adopt)


def begin(config: pytest.Config, items: list[pytest.Item], *, is_within_session: bool) -> None:
    """Have the tests that have a limit measured.

    :param items: all tests that will run.
    :param is_within_session: whether another session of pytest runs in this process.
    :raises pytest.UsageError: if a limit makes no sense.
    """
    try:
        _begin(config, items, is_within_session=is_within_session)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        # Of a worker, pytest-xdist would say no more than that it has crashed.
        items.clear()
        report = pytest.CollectReport("", "failed", str(error), result=[])
        config.hook.pytest_collectreport(report=report)


def _begin(config: pytest.Config, items: list[pytest.Item], *, is_within_session: bool) -> None:
    if config.pluginmanager.has_plugin(_MEMRAY):
        return  # it has the same markers, and does the work
    default: float | None = option_named("limit_memory").value(config, config.option)
    found = {item: limits for item in items if (limits := limits_of(item, default))}
    if not found or config.option.collectonly:
        return
    if running_on_valgrind():
        _warn("valgrind has the heap; --heapcheck checks them")
    elif engine := _engine():
        _measure(config, engine, found)
    elif hasattr(config, "workerinput"):
        _warn(
            "a worker of pytest-xdist must start with the native engine; limit_markers = true in "
            "the ini file, or --limit-markers, has it do so"
        )
    elif is_within_session:
        _warn("this session is within another one, which has no engine")
    else:
        _start_again(config, items)


def _engine() -> Engine | None:
    try:
        from pytest_valgrind.heap.engine import Engine

        return Engine()
    except (ImportError, RuntimeError):  # there is none on this system, or not in this process
        return None


def _measure(config: pytest.Config, engine: Engine, found: dict[pytest.Item, Limits]) -> None:
    from pytest_valgrind.limits.limiter import Limiter

    limiter = Limiter(
        engine,
        found,
        fails_on_increase=option_named("fail_on_increase").value(config, config.option),
        numbers_tests=not config.pluginmanager.has_plugin("valgrind_checker"),
        freeze=option_named("freeze").value(config, config.option),
    )
    config.pluginmanager.register(limiter)
    config.pluginmanager.register(ProblemStatus())


def _start_again(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have this session end without tests, and the same command take its place."""
    try:
        engine_start.THIS.command = engine_start.command_to_start_again()
    except pytest.UsageError as error:
        _warn(str(error).removesuffix("."))
        return
    items.clear()
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(
            "limit_memory, limit_leaks: starting again with the native engine "
            "(limit_markers = true in the ini file spares the first start)"
        )
        pytest_internals.mute(reporter)


def _warn(why: str) -> None:
    words = f"{_NOT_CHECKED}{why}"
    try:
        warnings.warn(pytest.PytestWarning(words), stacklevel=2)
    except pytest.PytestWarning:  # by -W error
        raise pytest.UsageError(f"{words}.") from None
