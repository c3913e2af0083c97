"""pytest's hooks. What they need is imported where it is needed, and as usual: see below."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_valgrind.launching.launcher import Launch
    from pytest_valgrind.origins.origins import Request
    from pytest_valgrind.session.process import Process, SessionChecker
    from pytest_valgrind.settings import Settings

#: Projects ask for the active checker by this name.
CHECKER = "valgrind_checker"
_CONTROLLER = "valgrind_controller"
_INTERRUPTED = "\nvalgrind: Interrupted before any test ran"
#: The sessions of this process that have begun, one within another.
_sessions: list[pytest.Config] = []


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options."""
    with _imports_as_usual(pluginmanager):
        from pytest_valgrind.settings import add_options
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Start again under valgrind, before a conftest is imported and before output is captured."""
    with _imports_as_usual(early_config.pluginmanager):
        from pytest_valgrind import running_on_valgrind

        on_valgrind = running_on_valgrind()
        if on_valgrind:
            from pytest_valgrind.session.process import Process
            from pytest_valgrind.settings import traces_children

            traces = traces_children(early_config, early_config.known_args_namespace)
            process = Process.this(restores=not traces)
            if process.replaces_another:
                # For pytest-cov: what the process before this one has saved.
                early_config.known_args_namespace.cov_append = True
        if early_config.known_args_namespace.valgrind:
            _prepare_further_run(early_config, args)
    if early_config.known_args_namespace.valgrind and not on_valgrind:
        _, unknown = parser.parse_known_and_unknown_args(args)
        _launch(early_config, [arg for arg in args if arg not in unknown])
    if early_config.known_args_namespace.valgrind:
        with _imports_as_usual(early_config.pluginmanager):
            from pytest_valgrind.false_alarms.numpy_warning import OPTIONS

        option = early_config.known_args_namespace
        option.pythonwarnings = [*(option.pythonwarnings or []), *OPTIONS]
    try:
        return (yield)
    except KeyboardInterrupt:
        if on_valgrind and Process.this().run_directory:  # the launcher says it
            raise SystemExit(pytest.ExitCode.INTERRUPTED) from None
        raise


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, under valgrind, the checker."""
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind import running_on_valgrind
        from pytest_valgrind.markers import MARKERS

        on_valgrind = running_on_valgrind()
        if on_valgrind:
            from pytest_valgrind.session.process import Process
    _sessions.append(config)
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}(reason=None): {meaning}")
    if on_valgrind and (outer := Process.this().checker):
        _register_inner_session(config, outer)
    elif on_valgrind and config.option.valgrind:
        _register_checker(config, Process.this())
    elif config.option.valgrind and _is_distributed(config.option) and not _is_ours(config):
        _register_controller(config)
    elif not config.option.valgrind and not hasattr(config, "workerinput"):
        _warn_of_missing_option(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take note of the end of a session."""
    if config in _sessions:
        _sessions.remove(config)


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


def _prepare_further_run(config: pytest.Config, args: list[str]) -> None:
    """Write none of the user's files in a run that looks for origins."""
    if request := _further_run():
        from pytest_valgrind.origins.origin_run import Quiet, adapt_arguments

        adapt_arguments(args, config.known_args_namespace, request.directory)
        config.pluginmanager.register(Quiet())


def _launch(config: pytest.Config, args: list[str]) -> None:
    """Run the same command under valgrind, and exit as it does."""
    if sys.platform != "linux":
        raise pytest.UsageError(
            f"--valgrind works on Linux, and this is {sys.platform}: run the tests there, "
            "for example in a container or in WSL."
        )
    from pytest_valgrind.launching import preconditions
    from pytest_valgrind.launching.valgrind_launch import ValgrindLaunch
    from pytest_valgrind.settings import Settings

    option = config.known_args_namespace
    if not preconditions.tests_will_run(option) or _is_ours(config):
        return
    if preconditions.is_started_by_execnet():
        raise pytest.UsageError(
            "--valgrind: this worker of pytest-xdist was not started under valgrind, so nothing "
            "would be checked: give -n or --tx with popen, ssh or socket."
        )
    if _sessions:
        raise pytest.UsageError(
            "--valgrind: pytest was called within a pytest session that is not under "
            "valgrind, and only a whole process can be: give --valgrind to that session, or start "
            "this one in a process of its own (as pytester.runpytest_subprocess does)."
        )
    if _is_distributed(option):
        return
    from pytest_valgrind.command import Command
    from pytest_valgrind.launching.rehearsal import rehearse
    from pytest_valgrind.launching.waiting import ending_orderly

    settings = Settings.of(config, option)
    command = Command.of_this_process()
    if request := _further_run():
        # It reports nothing, however it ends.
        further = ValgrindLaunch(command, request.adapt(settings), request.home)
        raise SystemExit(further.run().code)
    launched = ValgrindLaunch(command, settings)
    try:
        with ending_orderly():
            rehearse(config)
            if command.program:
                _say(
                    f"valgrind: {command.program} starts again under valgrind, so its code before "
                    "pytest.main runs twice"
                )
            code = _run_until_the_end(launched, settings, config, args)
    except KeyboardInterrupt:
        _say(_INTERRUPTED)
        code = pytest.ExitCode.INTERRUPTED
    raise SystemExit(code)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _run_until_the_end(
    launch: Launch, settings: Settings, config: pytest.Config, args: list[str]
) -> int:
    """Run the tests, if need be in one process after another; return the exit code."""
    from pytest_valgrind.recovery import history

    option = config.known_args_namespace
    most_failures = 1 if getattr(option, "stepwise", False) else option.maxfail
    end = launch.run()
    if end.was_stopped_early:
        _say(_INTERRUPTED)
        return end.code
    if not end.ran_session and end.code == 0:
        _say(f"ERROR: --valgrind: nothing was checked: {end.words}.")
        return pytest.ExitCode.USAGE_ERROR
    if not end.reached_pytest:
        _say(f"valgrind: nothing was checked: {end.words}")
    histories = [end.history]
    while settings.resume and end.can_be_followed and (left := history.left_to_do(histories)):
        if most_failures and history.failures(histories) >= most_failures:
            break
        print(
            f"\nvalgrind: {end.history.crash_message} Another process will run {left}.", flush=True
        )
        end = launch.run(history.begun(histories), history.to_run_again(histories))
        history.replace_first_runs(histories, end.history)
        histories.append(end.history)
    if end.hides_failures:
        _say("valgrind: the process ended with exit code 0, by os._exit?, although tests failed")
    elif not any(one.crash for one in histories):
        return end.code
    from pytest_valgrind.recovery.replay import replay

    code = replay(histories, settings, config, args)
    return end.code if end.was_asked_for else code


def _warn_of_missing_option(config: pytest.Config) -> None:
    from pytest_valgrind.settings import without_effect

    # Not those of the ini file, which say what shall hold if --valgrind is given.
    if names := without_effect(config.invocation_params.args):
        words = f"{', '.join(names)}: without effect, as --valgrind is missing"
        try:
            config.issue_config_time_warning(pytest.PytestConfigWarning(words), stacklevel=2)
        except pytest.PytestConfigWarning:  # by -W error
            raise pytest.UsageError(f"{words}.") from None


def _is_distributed(option: object) -> bool:
    """Whether pytest-xdist will have workers run the tests."""
    number: object = getattr(option, "numprocesses", None)
    if number is not None:
        return number != 0
    return getattr(option, "dist", "no") not in ("no", None)


def _is_ours(config: pytest.Config) -> bool:
    """Whether a session is one of those that the launcher itself runs."""
    has_plugin = config.pluginmanager.has_plugin
    return has_plugin("valgrind_replay") or has_plugin("valgrind_rehearsal")


def _register_checker(config: pytest.Config, process: Process) -> None:
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind.session.checker import ValgrindChecker
        from pytest_valgrind.settings import Settings
        from pytest_valgrind.workers.worker import XdistWorker, is_worker

    worker = XdistWorker(config) if is_worker(config) else None
    if worker is None:
        _refuse_controller(config.option)
    if process.replaces_another:
        config.option.no_summary = True  # the parent's is about all the tests
        config.option.log_file_mode = "a"  # after that of the process before
    settings = Settings.of(config, config.option)
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
        from pytest_valgrind import client
        from pytest_valgrind.session.inner_session import InnerSession

    if config.option.valgrind and _is_distributed(config.option):
        raise pytest.UsageError(
            "--valgrind: this session is part of another one that is checked, and workers of "
            "pytest-xdist are other processes: leave -n out here, or --valgrind."
        )
    config.pluginmanager.register(InnerSession(outer), CHECKER if config.option.valgrind else None)
    # When it ends, pytest sets faulthandler's handlers as they were before.
    config.add_cleanup(client.handle_signals_on_stack)


def _register_controller(config: pytest.Config) -> None:
    from pytest_valgrind.launching import preconditions
    from pytest_valgrind.settings import Settings
    from pytest_valgrind.workers.controller import Controller

    if preconditions.tests_will_run(config.option):
        controller = Controller(Settings.of(config, config.option), config)
        config.pluginmanager.register(controller, _CONTROLLER)


def _refuse_controller(option: object) -> None:
    if _is_distributed(option):
        raise pytest.UsageError(
            "--valgrind: valgrind watches only the process that hands out the tests, and not the "
            "workers of pytest-xdist: leave valgrind out of the command line, as "
            f"`{Path(sys.executable).name} -m pytest --valgrind -n` starts each worker under it."
        )
