"""The hooks by which pytest calls the plugin. Each imports what it needs when it is called."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_valgrind.around_call.memory_check import MemoryCheck
    from pytest_valgrind.origins.origins import Request
    from pytest_valgrind.session.process import Process, SessionChecker

#: Projects ask for the active checker by this name.
CHECKER = "valgrind_checker"
_CONTROLLER = "valgrind_controller"
# Of the environment of a process that starts with the native engine (heap/engine.py).
_HEAP_ENGINE = "PYTEST_HEAPCHECK"
# Of one that starts with it for limits alone (limits/engine_start.py).
_LIMITS = "PYTEST_VALGRIND_LIMITS"
# Of one whose session is reported by another (launching/run_directory.py).
_QUIET = "PYTEST_VALGRIND_QUIET"
# By this name pytest-leaks has its own.
_HUNTER = "leaks_checker"
#: The sessions of this process that have begun, one within another.
_sessions: list[pytest.Config] = []


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options."""
    with _imports_as_usual(pluginmanager):
        from pytest_valgrind.option_table import add_options
        from pytest_valgrind.options_of_hunts import are_free
    add_options(parser, hunts=are_free(parser, pluginmanager))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Start again under valgrind, before a conftest is imported and before output is captured."""
    option = early_config.known_args_namespace
    is_asked_for = _is_asked_for(early_config, option)
    has_engine = _LIMITS in os.environ
    if has_engine:
        with _imports_as_usual(early_config.pluginmanager):
            from pytest_valgrind.limits.engine_start import adopt
        adopt()
    with _imports_as_usual(early_config.pluginmanager):
        is_watched = _is_watched()
        if is_watched:
            from pytest_valgrind.session.process import Process
            from pytest_valgrind.settings import traces_children

            is_quiet = os.environ.pop(_QUIET, None)  # before the launcher's changes are undone
            process = Process.this(restores=not traces_children(early_config, option))
            if process.replaces_another:
                option.cov_append = True  # for pytest-cov: what the process before this one saved
            if is_quiet and process.run_directory:
                _write_nothing(early_config, args, process.run_directory.directory)
        if option.valgrind and (request := _further_run()):
            _write_nothing(early_config, args, request.directory)
    if is_asked_for and not is_watched:
        _, unknown = parser.parse_known_and_unknown_args(args)
        _launch(early_config, [arg for arg in args if arg not in unknown])
    elif not (is_watched or has_engine or _sessions):
        with _imports_as_usual(early_config.pluginmanager):
            from pytest_valgrind import checks

            checks.start_early(early_config)
        # The first of all: it is the last that is called, when pytest captures nothing any more.
        early_config.add_cleanup(_go_on)
    if option.valgrind and is_watched:
        with _imports_as_usual(early_config.pluginmanager):
            from pytest_valgrind.false_alarms.numpy_warning import OPTIONS

        option.pythonwarnings = [*(option.pythonwarnings or []), *OPTIONS]
    try:
        with _imports_as_usual(early_config.pluginmanager):
            from pytest_valgrind.option_table import declare_hunts
            from pytest_valgrind.options_of_hunts import withdraw

            withdraw(parser)
        result = yield
        declare_hunts(early_config, parser)
        return result
    except KeyboardInterrupt:
        if is_watched and Process.this().run_directory:  # the launcher says it
            raise SystemExit(pytest.ExitCode.INTERRUPTED) from None
        raise


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, under valgrind, the checker."""
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind import checks, session_kind
        from pytest_valgrind.markers import declarations

        is_watched = _is_watched()
        if is_watched:
            from pytest_valgrind.session.process import Process
    is_asked_for = _is_asked_for(config, config.option)
    _sessions.append(config)
    for declaration in declarations():
        config.addinivalue_line("markers", declaration)
    # Before the checker, which calls it where a test runs.
    _register_hunter(config)
    outer = Process.this().checker if is_watched else None
    if outer is None and not hasattr(config, "workerinput"):
        _warn_of_options_without_effect(config)
    if outer is not None:
        _register_inner_session(config, outer)
    elif is_watched and is_asked_for:
        _register_checker(config, Process.this())
    elif (
        is_asked_for
        and session_kind.is_distributed(config.option)
        and not session_kind.is_of_launcher(config)
    ):
        _register_controller(config)
    if is_asked_for or checks.are_wanted(config):
        _shorten_failures(config)
    if checks.are_wanted(config):
        with _imports_as_usual(config.pluginmanager):
            checks.register(
                config,
                is_engine_asked_for=is_asked_for,
                replaces_another=is_watched and Process.this().replaces_another,
            )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that -R is another plugin's, where it is."""
    from pytest_valgrind.options_of_hunts import why_not

    return why_not(config)


@pytest.fixture
def leaks_checker(request: pytest.FixtureRequest) -> object:
    """Hunt for leaks by ``hunt_leaks(func)``; None without ``-R``."""
    return request.config.pluginmanager.get_plugin(_HUNTER)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take note of the end of a session."""
    if config in _sessions:
        _sessions.remove(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have tests measured that have a limit, once it is known which tests will run."""
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind import checks

        checks.limit_memory(config, items, is_within_session=len(_sessions) > 1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is to be skipped under valgrind, with or without the checker."""
    marker = item.get_closest_marker("valgrind_skip")
    if marker is None:
        return
    from pytest_valgrind import running_on_valgrind
    from pytest_valgrind.markers import reason_of

    if running_on_valgrind():
        reason = reason_of(marker) or "skipped under valgrind"
        raise pytest.skip.Exception(reason, _use_item_location=True)


@pytest.fixture
def memory_check() -> MemoryCheck:
    """Return a function that calls another one again and again, and sees that it leaves nothing."""
    from pytest_valgrind.around_call.memory_check import MemoryCheck

    return MemoryCheck()


def _is_asked_for(config: pytest.Config, option: argparse.Namespace) -> bool:
    """Whether the user wants an engine to look at the tests."""
    from pytest_valgrind.option_table import option_named

    return bool(option.valgrind or option_named("heapcheck").value(config, option))


def _go_on() -> None:
    """Have another process take this one's place, if limits are to be measured there."""
    module = sys.modules.get("pytest_valgrind.limits.engine_start")
    if module is not None:
        module.THIS.go_on()


def _is_watched() -> bool:
    """Whether an engine is at work in this process."""
    from pytest_valgrind import running_on_valgrind

    if running_on_valgrind() or _HEAP_ENGINE in os.environ:
        return True
    # A session before this one has taken the variable out of the environment.
    module = sys.modules.get("pytest_valgrind.session.process")
    return module is not None and module.Process.exists()


@contextlib.contextmanager
def _imports_as_usual(pluginmanager: pytest.PytestPluginManager) -> Iterator[None]:
    """Keep pytest from rewriting the assertions of what is imported, as it does with plugins.

    Under valgrind it makes an import take three times as long.
    """
    hook: object = pluginmanager.rewrite_hook
    finders = sys.meta_path.copy()
    sys.meta_path[:] = [finder for finder in finders if finder is not hook]
    try:
        yield
    finally:
        sys.meta_path[:] = finders


def _further_run() -> Request | None:
    """Return what a run that looks for origins has been asked for, None if it is none."""
    if "PYTEST_VALGRIND_ORIGINS" not in os.environ:  # then nothing is imported for it
        return None
    from pytest_valgrind.origins.origins import Request

    return Request.adopt()


def _write_nothing(config: pytest.Config, args: list[str], directory: Path) -> None:
    """Write none of the user's files, in a run that another one reports.

    :param directory: for temporary files.
    """
    from pytest_valgrind import session_kind
    from pytest_valgrind.origins.origin_run import Quiet, adapt_arguments

    adapt_arguments(args, config.known_args_namespace, directory)
    config.pluginmanager.register(Quiet(), session_kind.QUIET)


def _launch(config: pytest.Config, args: list[str]) -> None:
    """Run the same command below an engine, and exit as it does."""
    if sys.platform != "linux":
        name = "--valgrind" if config.known_args_namespace.valgrind else "--heapcheck"
        raise pytest.UsageError(
            f"{name} works on Linux, and this is {sys.platform}: run the tests there, in a "
            "container or in WSL."
        )
    from pytest_valgrind import checks
    from pytest_valgrind.launching.restart import restart

    checks.refuse_early(config)
    restart(config, args, is_within_session=bool(_sessions), further_run=_further_run())


def _warn_of_options_without_effect(config: pytest.Config) -> None:
    from pytest_valgrind.option_table import option_named, without_effect

    names = ("valgrind", "heapcheck")
    engines = [name for name in names if option_named(name).value(config, config.option)]
    # Not those of the ini file, which say what shall hold if an engine is asked for.
    for words in without_effect(config.invocation_params.args, engines):
        try:
            config.issue_config_time_warning(pytest.PytestConfigWarning(words), stacklevel=2)
        except pytest.PytestConfigWarning:  # by -W error
            raise pytest.UsageError(f"{words}.") from None


def _shorten_failures(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # then another process shows them
        with _imports_as_usual(config.pluginmanager):
            from pytest_valgrind.reporting.short_failures import ShortFailures
        config.pluginmanager.register(ShortFailures(config))


def _register_hunter(config: pytest.Config) -> None:
    from pytest_valgrind.options_of_hunts import are_ours

    if not (are_ours(config, config.option) and config.option.leaks):
        return
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind.hunt.checker import HuntSettings, LeakChecker
        from pytest_valgrind.settings import Settings
    settings = HuntSettings.of(Settings.of(config, config.option))
    config.pluginmanager.register(LeakChecker(settings), _HUNTER)


def _register_checker(config: pytest.Config, process: Process) -> None:
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind import running_on_valgrind, session_kind
        from pytest_valgrind.session.checker import ValgrindChecker
        from pytest_valgrind.settings import Settings
        from pytest_valgrind.workers.worker import XdistWorker, is_worker

    worker = XdistWorker(config) if is_worker(config) else None
    if worker is None:
        session_kind.refuse_controller(config.option)
    if process.replaces_another:
        config.option.no_summary = True  # the parent's is about all the tests
        config.option.log_file_mode = "a"  # after that of the process before
    settings = Settings.of(config, config.option)
    if settings.valgrind and settings.heapcheck:
        settings = settings.errors_only() if running_on_valgrind() else settings.natively()
    request = _further_run()
    if request:
        settings = request.adapt(settings)
        request.hide()
    checker = ValgrindChecker(settings, config.pluginmanager, process, worker)
    config.pluginmanager.register(checker, CHECKER)
    if request:
        checker.answer(request)
    if worker is not None:
        config.pluginmanager.register(worker)
    process.begin_checking(checker)
    config.add_cleanup(process.end_checking)


def _register_inner_session(config: pytest.Config, outer: SessionChecker) -> None:
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind.session.inner_session import InnerSession
        from pytest_valgrind.session_kind import is_distributed

    is_asked_for = _is_asked_for(config, config.option)
    if is_asked_for and is_distributed(config.option):
        raise pytest.UsageError(
            f"--{outer.name}: this session is part of another one that is checked, and workers of "
            f"pytest-xdist are other processes: leave -n out here, or --{outer.name}."
        )
    config.pluginmanager.register(InnerSession(outer), CHECKER if is_asked_for else None)
    # When it ends, pytest sets faulthandler's handlers as they were before.
    config.add_cleanup(outer.session_begins)


def _register_controller(config: pytest.Config) -> None:
    from pytest_valgrind.session_kind import tests_will_run
    from pytest_valgrind.settings import Settings
    from pytest_valgrind.workers.controller import Controller

    if tests_will_run(config.option):
        controller = Controller(Settings.of(config, config.option), config)
        config.pluginmanager.register(controller, _CONTROLLER)
