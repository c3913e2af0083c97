"""Which part a pytest session has in the memory log: it measures, it reports, or both."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind import running_on_valgrind
from pytest_valgrind.memory_log.recorder import Heap, Recorder
from pytest_valgrind.memory_log.resident_set import resident_set
from pytest_valgrind.memory_log.summary import MemorySummary
from pytest_valgrind.option_table import option_named


def begin(
    config: pytest.Config,
    *,
    runs_tests: bool,
    begins_log: bool,
) -> None:
    """Register what the session needs, if the user has asked for it.

    :param runs_tests: whether tests run in this process.
    :param begins_log: whether no other process has written into the log yet.
    :raises pytest.UsageError: if a value makes no sense, or the log cannot be written.
    """
    path: Path | None = option_named("memory_log").value(config, config.option)
    limit: float | None = option_named("memory_limit").value(config, config.option)
    in_report = any(
        option_named(name).value(config, config.option) for name in ("memory_report", "memory_json")
    )
    if path is None and limit is None and not in_report:
        return
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if path is not None:
        path = path.absolute()
        # Workers of pytest-xdist, which get these options, may run in another directory.
        config.option.memory_log = str(path)
        if begins_log and not worker:
            _empty(path)
    if runs_tests:
        config.pluginmanager.register(Recorder(resident_set(), path, limit, _heap(), worker))
    if path is not None and not worker:
        summary = MemorySummary(path, limit, includes_valgrind=running_on_valgrind())
        config.pluginmanager.register(summary)


def _empty(path: Path) -> None:
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise pytest.UsageError(
            f"--memory-log: {path} cannot be written: {error.strerror}."
        ) from None


def _heap() -> Heap | None:
    """Return what counts the live bytes and blocks, None if nothing does."""
    if running_on_valgrind():
        return _heap_under_valgrind()
    try:
        from pytest_valgrind.heap.engine import Engine

        engine = Engine()
    except (ImportError, RuntimeError):  # there is none on this system, or not in this process
        return None

    def live() -> tuple[int, int]:
        counters = engine.counters()
        return counters.bytes, counters.blocks

    return live


def _heap_under_valgrind() -> Heap | None:
    from pytest_valgrind import client

    if not client.is_counted():
        return None

    def live() -> tuple[int, int]:
        counts = client.counts()
        return counts.heap_bytes, counts.blocks

    return live
