"""The private parts of pytest and pytest-xdist are where pytest_internals.py takes them from.

Each failure says which part has moved, and what it was needed for.
"""

from __future__ import annotations

import inspect
import io
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import xdist.dsession
import xdist.remote
import xdist.workermanage
from _pytest import runner
from _pytest._io import TerminalWriter
from _pytest.capture import CaptureManager
from _pytest.logging import LogCaptureHandler, LoggingPlugin
from _pytest.main import FSHookProxy
from _pytest.terminal import TerminalReporter

from pytest_valgrind import pytest_internals, pytest_phases

#: What a class or function must mention, and what for.
MENTIONED: dict[str, tuple[Any, str, str]] = {
    "setupstate": (runner.pytest_sessionstart, "_setupstate", "fixtures are torn down by it"),
    "teardown": (
        runner.SetupState,
        "def teardown_exact",
        "a second run tears down by it",
    ),
    "sections": (pytest.Item, "_report_sections", "output of repetitions is dropped"),
    "stack": (runner.SetupState, "self.stack", "repeated finalizers are dropped"),
    "groups": (pytest.Parser, "self._groups", "options are left to other plugins"),
    "finalizers": (pytest.FixtureDef, "self._finalizers", "they run below the fixture's number"),
    "protocol": (runner.runtestprotocol, "log", "phases run without being logged"),
    "capture": (CaptureManager, "def item_capture", "runs are captured together"),
    "captured": (CaptureManager, "def read_global_capture", "what a run has printed is dropped"),
    "log handlers": (LoggingPlugin, "self.caplog_handler", "runs are logged together"),
    "report's log": (LoggingPlugin, "self.report_handler", "runs are logged together"),
    "log level": (LoggingPlugin, "self.log_level", "runs are logged together"),
    "live logs": (LoggingPlugin, "def _log_cli_enabled", "then phases are shown one by one"),
    "a setup": (runner.pytest_runtest_setup, "_setupstate.setup(item)", "a quick run is the same"),
    "a call": (runner.pytest_runtest_call, "item.runtest()", "a quick run is the same"),
    "a teardown": (
        runner.pytest_runtest_teardown,
        "_setupstate.teardown_exact(nextitem)",
        "a quick run is the same",
    ),
    "current test": (runner, "PYTEST_CURRENT_TEST", "a quick run sets it as well"),
    "log": (LogCaptureHandler, "self.records", "what a quick run has logged is dropped"),
    "request": (pytest.Function, "def _initrequest", "a test runs again"),
    "other conftests": (FSHookProxy, "self.remove_mods", "hooks of a test run without capture"),
    "crash line": (TerminalReporter.summary_errors, ".when", "errors at a time of ours are named"),
    "failures": (
        TerminalReporter.pytest_terminal_summary,
        "self.summary_failures()",
        "failures are shown in short, from around this hook",
    ),
    "worker input": (xdist.remote, "workerinput", "the controller's settings come with it"),
    "worker output": (xdist.remote, "workeroutput", "a worker's results go with it"),
    "torun": (xdist.remote, "self.torun", "the plugin that sends reports is told by it"),
    "item index": (xdist.remote, "self.item_index", "a late report says by it of which test it is"),
    "restarts": (xdist.dsession, "_max_worker_restart", "no worker is started again in vain"),
    "sent files": (xdist.workermanage, "_rsynced_specs", "files are sent to a native process"),
    "roots": (xdist.workermanage, "self.roots", "files are sent to a native process"),
}


@pytest.mark.parametrize(("where", "part", "purpose"), MENTIONED.values(), ids=MENTIONED)
def test_part_is_there(where: Any, part: str, purpose: str) -> None:
    name = getattr(where, "__qualname__", where.__name__)
    assert part in inspect.getsource(where), f"{name} has no {part} any more: {purpose}"


def test_session_has_a_stack_of_what_is_set_up(request: pytest.FixtureRequest) -> None:
    """It is not empty here, as this very test is set up."""
    assert not pytest_internals.all_torn_down(request.session)


def test_hooks_of_others_are_called_in_a_quick_run(request: pytest.FixtureRequest) -> None:
    """This very test is set up already, and to do that again does nothing."""
    called = []

    class Other:
        @staticmethod
        def pytest_runtest_setup(item: pytest.Item) -> None:
            called.append(item)

    manager, plugin = request.config.pluginmanager, Other()
    manager.register(plugin)
    try:
        pytest_phases.quick_phases(request.node).setup()
    finally:
        manager.unregister(plugin)
    assert called == [request.node]


def test_setups_can_be_forgotten() -> None:
    session: Any = SimpleNamespace()
    pytest_internals.forget_setups(session)
    assert pytest_internals.all_torn_down(session)


def test_items_take_their_hooks_from_the_session(request: pytest.FixtureRequest) -> None:
    proxy = object()
    pytest_internals.replace_hook_proxy(request.session, lambda _path: proxy)
    try:
        assert request.node.ihook is proxy
    finally:
        del vars(request.session)["gethookproxy"]


def test_terminal_reporter_has_a_file(pytestconfig: pytest.Config) -> None:
    file = io.StringIO()
    reporter = TerminalReporter(pytestconfig, file)
    assert pytest_internals.unbuffered_terminal(reporter) is file


def test_terminal_reporter_can_be_muted(pytestconfig: pytest.Config) -> None:
    file = io.StringIO()
    reporter = TerminalReporter(pytestconfig, file)
    pytest_internals.mute(reporter)
    reporter.write_line("nobody reads this")
    assert file.getvalue() == ""


def test_failure_is_shown_line_by_line() -> None:
    failure = pytest_internals.longrepr(["one", "two"], "test_it.py", 3, "why")
    assert str(failure).splitlines()[:2] == ["one", "two"]
    assert failure.reprcrash is not None
    assert (failure.reprcrash.lineno, failure.reprcrash.message) == (4, "why")


def test_failure_is_shown_otherwise() -> None:
    """To the terminal only: as text, and for pytest-xdist, it is what it was."""
    failure = pytest_internals.longrepr(["one"], "test_it.py", 3, "why")
    failure.addsection("name", "content")
    other = pytest_internals.shown_otherwise(failure, lambda terminal: terminal.line("short"))
    file = io.StringIO()
    writer = TerminalWriter(file)
    other.toterminal(writer)
    assert file.getvalue() == "short\n"
    assert str(other) == str(failure)
    assert (other.reprcrash, other.sections) == (failure.reprcrash, failure.sections)


def test_collect_report_has_a_time() -> None:
    report = pytest.CollectReport("test_it.py", "failed", None, result=[])
    assert pytest_internals.show_as(report, "the end").when == "the end"


def test_report_becomes_plain_values_and_back() -> None:
    report = pytest.TestReport(
        "test_it.py::test", ("test_it.py", 1, "test"), {}, "passed", None, "call"
    )
    values = pytest_internals.report_to_json(report)
    assert pytest_internals.report_from_json(values).nodeid == report.nodeid


def test_options_can_be_withdrawn(pytester: pytest.Pytester) -> None:
    """And declared once more, by another plugin."""
    parser = pytester.parseconfig()._parser
    group = parser.getgroup("mine")
    group.addoption("-Z", "--mine")
    pytest_internals.withdraw_options(parser, {"-Z", "--mine"})
    assert pytest_internals.flags_of(parser).isdisjoint({"-Z", "--mine"})
    parser.getgroup("theirs").addoption("--mine", dest="theirs")
    assert parser.parse_known_args(["--mine=1"]).theirs == "1"


def test_finalizers_are_noted_once(request: pytest.FixtureRequest) -> None:
    """Those that pytest has added; those of users stay."""
    fixture: Any = object.__new__(pytest.FixtureDef)
    finish, mine = partial(fixture.finish, request=None), partial(int)
    other: Any = SimpleNamespace(_finalizers=[mine, finish, mine, finish])
    pytest_internals.forget_repeated_finalizers(request.session, [other])
    assert other._finalizers == [mine, finish, mine]


def test_no_global_properties_without_junit_xml(pytester: pytest.Pytester) -> None:
    assert pytest_internals.global_properties(pytester.parseconfig()) == []


def test_tmp_paths_are_removed(pytester: pytest.Pytester) -> None:
    """For a while, whatever the user has asked for."""
    config = pytester.parseconfigure()
    factory = vars(config)["_tmp_path_factory"]
    before = factory._retention_policy
    with pytest_internals.without_tmp_paths(config):
        assert factory._retention_policy == "failed"
    assert factory._retention_policy == before
