"""Which part a pytest session has in limits: it measures, or starts again so that it can."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind import pytest_internals, running_on_valgrind, session_kind
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.limits import engine_start
from pytest_valgrind.limits.limit_marks import Limits, limits_of
from pytest_valgrind.limits.problem_status import ProblemStatus
from pytest_valgrind.option_table import option_named

if TYPE_CHECKING:
    from pytest_valgrind.heap.engine import Engine
    from pytest_valgrind.limits.instrument import Instrument

#: By which pytest-memray's plugin is known.
_MEMRAY = "memray_manager"
#: By which that is known which looks at the tests under an engine.
_CHECKER = "valgrind_checker"


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
        _measure_by_memcheck(config, found)
    elif engine := _engine():
        _measure_by_engine(config, engine, found)
    elif hasattr(config, "workerinput"):
        _warn(
            len(found),
            "a worker of pytest-xdist must start with the native engine; limit_markers = true in "
            "the ini file, or --limit-markers, has it do so",
        )
    elif is_within_session:
        _warn(len(found), "this session is within another one, which has no engine")
    else:
        _start_again(config, items, len(found))


def _engine() -> Engine | None:
    try:
        from pytest_valgrind.heap.engine import Engine

        return Engine()
    except (ImportError, RuntimeError):  # there is none on this system, or not in this process
        return None


def _measure_by_engine(
    config: pytest.Config, engine: Engine, found: dict[pytest.Item, Limits]
) -> None:
    from pytest_valgrind.limits.heap_instrument import HeapInstrument

    numbers_tests = not config.pluginmanager.has_plugin(_CHECKER)
    _measure(config, HeapInstrument(engine, numbers_tests=numbers_tests), found)


def _measure_by_memcheck(config: pytest.Config, found: dict[pytest.Item, Limits]) -> None:
    from pytest_valgrind import client

    if not (client.is_counted() and config.pluginmanager.has_plugin(_CHECKER)):
        _warn(
            len(found),
            "valgrind does not count what is in use; limit_markers = true in the ini file, or "
            "--limit-markers, has it do so, and --heapcheck instead of --valgrind checks them, too",
        )
        return
    from pytest_valgrind.limits.memcheck_instrument import MemcheckInstrument
    from pytest_valgrind.session.memcheck import Memcheck
    from pytest_valgrind.session.process import Process
    from pytest_valgrind.settings import Settings

    settings = Settings.of(config, config.option)
    engine = Process.this().engine(settings)
    assert isinstance(engine, Memcheck)
    limits = {item: limits.times(settings.limit_factor) for item, limits in found.items()}
    _measure(config, MemcheckInstrument(engine.monitor), limits)


def _measure(
    config: pytest.Config, instrument: Instrument, limits: dict[pytest.Item, Limits]
) -> None:
    from pytest_valgrind.limits.limiter import Limiter
    from pytest_valgrind.limits.previous_use import PreviousUse

    limiter = Limiter(
        instrument,
        limits,
        PreviousUse(_file_of_previous_use(config)),
        fails_on_increase=option_named("fail_on_increase").value(config, config.option),
        freeze=option_named("freeze").value(config, config.option),
    )
    config.pluginmanager.register(limiter)
    config.pluginmanager.register(ProblemStatus())


def _file_of_previous_use(config: pytest.Config) -> Path | None:
    """Return where pytest's cache keeps what tests used; None if there is no cache."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    try:
        return cache.mkdir("limit_memory") / "used.jsonl" if cache else None
    except OSError:  # the project may be read-only
        return None


def _start_again(config: pytest.Config, items: list[pytest.Item], limited: int) -> None:
    """Have this session end without tests, and the same command take its place.

    :param limited: how many tests have limits.
    """
    try:
        engine_start.THIS.command = engine_start.command_to_start_again()
    except pytest.UsageError as error:
        _warn(limited, str(error).removesuffix("."))
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


def _warn(limited: int, why: str) -> None:
    """Say that limits are not checked.

    :param limited: how many tests have any.
    """
    words = f"limits to the memory of {plural(limited, 'test')} are not checked: {why}"
    try:
        warnings.warn(pytest.PytestWarning(words), stacklevel=2)
    except pytest.PytestWarning:  # by -W error
        raise pytest.UsageError(f"{words}.") from None
