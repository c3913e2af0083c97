"""Every use of parts of pytest and pytest-xdist that have no public name.

Tried with pytest 8.0 to 9.2 and pytest-xdist 3.6 to 3.8. tests/unit/test_pytest_internals.py fails
with a sentence for each part that a release has moved.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import pytest
from _pytest._code.code import (
    ReprEntryNative,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)
from _pytest.runner import SetupState, runtestprotocol

#: What a report shows of a failure.
Longrepr = ReprExceptionInfo

_Protocol = Callable[[pytest.Item, "pytest.Item | None"], object]


def run_phases(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Run setup, call and teardown, and log no report: hooks around a test are not called."""
    runtestprotocol(item, log=False, nextitem=nextitem)


def run_after_teardown(
    protocol: _Protocol, item: pytest.Item, nextitem: pytest.Item | None
) -> object:
    """Run a test where the one before was torn down as if another would follow."""
    # What a fixture raises in the end was reported when the tests ran first.
    with contextlib.suppress(Exception):
        item.session._setupstate.teardown_exact(item)
    return protocol(item, nextitem)


def forget_setups(session: pytest.Session) -> None:
    """Have nothing set up, and nothing torn down of what was."""
    vars(session)["_setupstate"] = SetupState()


def all_torn_down(session: pytest.Session) -> bool:
    """Whether no fixture is set up any more."""
    return not session._setupstate.stack


def finalizers_of(fixturedef: pytest.FixtureDef[object]) -> list[Callable[[], object]]:
    """Return the finalizers of a fixture, the one that is called first at the end."""
    finalizers: list[Callable[[], object]] = fixturedef._finalizers
    return finalizers


def is_set_up_as(fixturedef: pytest.FixtureDef[object], value: object) -> bool:
    """Whether a fixture still has the value that :func:`cached_value` has returned."""
    return fixturedef.cached_result is value


def cached_value(fixturedef: pytest.FixtureDef[object]) -> object:
    """Return what stands for the value of a fixture that is set up, None if it is not."""
    return fixturedef.cached_result


def replace_hook_proxy(session: pytest.Session, proxy: Callable[..., Any]) -> None:
    """Have the hooks of items be taken from elsewhere: an item asks its session for them."""
    vars(session)["gethookproxy"] = proxy


def unbuffered_terminal(reporter: pytest.TerminalReporter) -> TextIO:
    """Return the file to which the terminal reporter writes.

    pytest's own writer would count control sequences as columns.
    """
    terminal: TextIO = reporter._tw._file
    return terminal


def mute(reporter: pytest.TerminalReporter) -> None:
    """Have the terminal reporter write nothing any more."""
    reporter._tw._file = io.StringIO()


def longrepr(lines: Iterable[str], path: str, line: int, message: str) -> ReprExceptionInfo:
    """Return the representation of a failure that pytest's own plugins and xdist understand.

    :param lines: that are shown, without their ends.
    :param line: from 0.
    """
    ended = [f"{text}\n" for text in lines]
    return ReprExceptionInfo(
        reprtraceback=ReprTraceback([ReprEntryNative(ended)], None, style="native"),
        reprcrash=ReprFileLocation(path, line + 1, message),
    )


def show_as(report: pytest.CollectReport, when: str) -> pytest.CollectReport:
    """Have the terminal say "ERROR at WHEN of" instead of "ERROR collecting"."""
    vars(report)["when"] = when
    return report


def report_to_json(report: pytest.TestReport) -> dict[str, Any]:
    """Return a report as plain values."""
    return report._to_json()


def report_from_json(values: dict[str, Any]) -> pytest.TestReport:
    """Return a report that was plain values."""
    return pytest.TestReport._from_json(values)


def worker_values(config: pytest.Config, name: str) -> dict[str, Any]:
    """Return what pytest-xdist's controller gave a worker (``workerinput``), or will get from it.

    :param name: ``workerinput`` or ``workeroutput``.
    """
    values: dict[str, Any] = vars(config)[name]
    return values


def worker_interactor(pluginmanager: pytest.PytestPluginManager) -> Any:
    """Return the plugin by which a worker of pytest-xdist sends its reports.

    Its attribute ``item_index`` says of which test a report is.
    """
    return next(plugin for plugin in pluginmanager.get_plugins() if hasattr(plugin, "torun"))


def start_no_more_workers(dsession: Any) -> None:
    """Have pytest-xdist start no worker in the place of one that died."""
    dsession._max_worker_restart = 0


def note_as_sent(manager: Any, spec: object) -> None:
    """Have pytest-xdist take its files as sent to a worker."""
    manager._rsynced_specs.update((spec, root) for root in manager.roots)
