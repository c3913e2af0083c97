"""Every use of parts of pytest and pytest-xdist that have no public name, with pytest_phases.py.

Tried with pytest 8.0 to 9.2 and pytest-xdist 3.6 to 3.8. tests/unit/test_pytest_internals.py fails
with a sentence for each part that a release has moved.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any, TextIO

import pytest
from _pytest._code.code import (
    ReprEntryNative,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)
from _pytest._io import TerminalWriter
from _pytest.junitxml import xml_key
from _pytest.runner import SetupState, runtestprotocol

#: What a report shows of a failure.
Longrepr = ReprExceptionInfo

_Protocol = Callable[[pytest.Item, "pytest.Item | None"], object]


def run_phases(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Run setup, call and teardown, and log no report: hooks around a test are not called."""
    return runtestprotocol(item, log=False, nextitem=nextitem)


def forget_output(item: pytest.Item) -> None:
    """Have a test keep nothing of what it has printed and logged."""
    item._report_sections.clear()


def global_properties(config: pytest.Config) -> list[tuple[str, str]]:
    """Return the properties of the whole session for JUnit XML, empty if none is written."""
    xml = config.stash.get(xml_key, None)
    return [] if xml is None else xml.global_properties


@contextlib.contextmanager
def without_tmp_paths(config: pytest.Config) -> Iterator[None]:
    """Have the directories of ``tmp_path`` removed after their test, if it passes.

    Each run would make another name, and 3.12 keeps the names in paths for ever.
    """
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is None:  # the plugin is not there
        yield
        return
    before, factory._retention_policy = factory._retention_policy, "failed"
    # Pytest 9.2 and newer count the names, and do not look which there are.
    numbers: dict[str, int] = getattr(factory, "_next_number", {})
    numbers_before = numbers.copy()
    try:
        yield
    finally:
        factory._retention_policy = before
        numbers.clear()
        numbers.update(numbers_before)


def forget_repeated_finalizers(
    session: pytest.Session, fixtures: Iterable[pytest.FixtureDef[Any]]
) -> None:
    """Drop what pytest has noted several times: that a fixture ends before another, or a node.

    It notes that in each setup of a test, and forgets it when the wider scope ends.

    :param fixtures: those of wider scopes.
    """
    noted = [stacked for stacked, _ in session._setupstate.stack.values()]
    noted += [fixture._finalizers for fixture in fixtures]
    for finalizers in noted:
        if len(finalizers) > 1:
            finalizers[:] = _each_once(finalizers)


def _each_once(finalizers: Iterable[Any]) -> Iterator[Any]:
    """Yield finalizers, those of a fixture that are pytest's own only the first time."""
    seen = set()
    for finalizer in finalizers:
        function = getattr(finalizer, "func", None) if type(finalizer) is partial else None
        if getattr(function, "__func__", None) is pytest.FixtureDef.finish:
            fixture = id(function.__self__)  # type: ignore[union-attr]
            if fixture in seen:
                continue
            seen.add(fixture)
        yield finalizer


def globals_of_doctest(item: pytest.Item) -> dict[str, Any] | None:
    """Return the globals of a doctest, which are emptied when it has run; None if it is none."""
    test: Any = getattr(item, "dtest", None)
    return None if test is None else test.globs


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


def flags_of(parser: pytest.Parser) -> set[str]:
    """Return the flags of all options that are declared."""
    groups = {*parser._groups, parser._anonymous}
    return {flag for group in groups for option in group.options for flag in option.names()}


def withdraw_options(parser: pytest.Parser, flags: Collection[str]) -> None:
    """Have options not be declared any more."""
    for group in parser._groups:
        taken = [option for option in group.options if not set(option.names()).isdisjoint(flags)]
        for option in taken:
            group.options.remove(option)
            # Pytest 9.1 and newer have argparse know an option at once, others when they parse.
            if (action := getattr(option, "_action", None)) is not None:
                container = group._arggroup
                container._remove_action(action)
                for flag in option.names():
                    del container._option_string_actions[flag]


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


class _Otherwise(ReprExceptionInfo):
    """A failure that the terminal shows in its own way; as text it is what it was."""

    def __init__(self, made: ReprExceptionInfo, show: Callable[[TerminalWriter], None]) -> None:
        super().__init__(made.reprtraceback, made.reprcrash)
        self.sections = made.sections
        self._made = made
        self._show = show

    def toterminal(self, tw: TerminalWriter) -> None:
        """Show it."""
        self._show(tw)

    def __str__(self) -> str:
        """Return what files and other reporters have of it."""
        return str(self._made)


def shown_otherwise(
    made: ReprExceptionInfo, show: Callable[[TerminalWriter], None]
) -> ReprExceptionInfo:
    """Return a failure that a function writes to the terminal."""
    return _Otherwise(made, show)


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
