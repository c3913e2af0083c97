"""The parts of pytest that run a test and have no public name, as pytest_internals.py has others.

Tried with pytest 8.0 to 9.2. tests/unit/test_pytest_internals.py fails with a sentence for each
part that a release has moved.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from _pytest.logging import catching_logs


class Phases(NamedTuple):
    """What runs a test."""

    setup: Callable[[], object]
    call: Callable[[], object]
    teardown: Callable[[pytest.Item | None], object]  #: takes the item after it


#: Plugins that do something around a phase for a test's report, and that have let a test run.
_FOR_REPORTS = ("capturemanager", "logging-plugin")
_HAVE_DECIDED = ("skipping", "valgrind")
#: What says after each phase what went wrong elsewhere. That can wait for the end.
_CAN_WAIT = ("_pytest.threadexception", "_pytest.unraisableexception")
#: Runs after which what they have printed is dropped.
_PRINTED = 16
#: Where a test finds out that it runs.
_CURRENT = "PYTEST_CURRENT_TEST"


def quick_phases(item: pytest.Item) -> Phases:
    """Return what runs a test once more that has passed, capturing nothing that it prints or logs.

    The hooks of other plugins are called. What pytest's own do is done without calling any.
    """
    manager, state = item.config.pluginmanager, item.session._setupstate
    names = _FOR_REPORTS if item.get_closest_marker("skipif") else _FOR_REPORTS + _HAVE_DECIDED
    # Of conftests in other directories.
    left_out = set(getattr(item.ihook, "remove_mods", ()))
    left_out.update(filter(None, map(manager.get_plugin, names)))
    setup, call, teardown = (
        manager.subset_hook_caller(f"pytest_runtest_{phase}", left_out) for phase in Phases._fields
    )
    hooks = Phases(
        partial(setup, item=item),
        partial(call, item=item),
        lambda nextitem: teardown(item=item, nextitem=nextitem),
    )
    # It may look at what all of pytest's own have done.
    if not _is_pytests(teardown):
        return hooks
    waiting = [found.function for found in teardown.get_hookimpls() if _can_wait(found)]

    def tear_down(nextitem: pytest.Item | None) -> None:
        state.teardown_exact(nextitem)
        for function in waiting:
            function(item)

    return Phases(
        partial(state.setup, item) if _is_pytests(setup) else hooks.setup,
        item.runtest if _is_pytests(call) else hooks.call,
        tear_down,
    )


def _is_pytests(hook: Any) -> bool:
    return all(
        found.function.__module__ == "_pytest.runner" or _can_wait(found)
        for found in hook.get_hookimpls()
    )


def _can_wait(found: Any) -> bool:
    # Before pytest 8.4 they stood around a phase.
    return found.function.__module__ in _CAN_WAIT and not found.wrapper


@contextlib.contextmanager
def captured_together(item: pytest.Item) -> Iterator[Callable[[], None]]:
    """Capture what a test prints and logs in several runs; return what is called after each."""
    manager = item.config.pluginmanager
    capture: Any = manager.get_plugin("capturemanager")
    logging: Any = manager.get_plugin("logging-plugin")
    handlers = [logging.caplog_handler, logging.report_handler] if logging else []
    runs = 0

    def forget() -> None:
        nonlocal runs
        runs += 1
        for handler in handlers:
            if handler.records:
                handler.reset()
        # To look into the files of what is printed takes as long as a short test.
        if capture and runs % _PRINTED == 0:
            capture.read_global_capture()

    with contextlib.ExitStack() as stack:
        os.environ[_CURRENT] = f"{item.nodeid} (call)".replace("\0", "(null)")
        stack.callback(os.environ.pop, _CURRENT, None)
        if capture:
            stack.enter_context(capture.item_capture("call", item))
        for handler in handlers:
            stack.enter_context(catching_logs(handler, level=logging.log_level))
        yield forget


@contextlib.contextmanager
def new_request(item: pytest.Item) -> Iterator[None]:
    """Have the fixtures of a test be made for one more run."""
    state: Any = item
    state._initrequest()
    try:
        yield
    finally:
        state._request = False
        state.funcargs = None


def shows_phases(config: pytest.Config) -> bool:
    """Whether an option has pytest show something of each phase of a test, or stop there."""
    logging: Any = config.pluginmanager.get_plugin("logging-plugin")
    option = config.option
    shown = ("usepdb", "trace", "setupshow", "setuponly", "setupplan")
    return any(getattr(option, name, False) for name in shown) or (
        logging is not None and logging._log_cli_enabled()
    )


def report_makers(item: pytest.Item) -> Iterator[str]:
    """Yield the modules of the plugins that take part in making a test's reports."""
    for implementation in item.ihook.pytest_runtest_makereport.get_hookimpls():
        plugin = implementation.plugin
        yield plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
