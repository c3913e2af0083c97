"""The same command once more, below an engine, if need be in one process after another."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind import session_kind
from pytest_valgrind.command import Command
from pytest_valgrind.launching.engines import launch_of
from pytest_valgrind.launching.launcher import Launch
from pytest_valgrind.launching.waiting import ending_orderly
from pytest_valgrind.settings import Settings

if TYPE_CHECKING:
    from pytest_valgrind.origins.origins import Request

_INTERRUPTED = "\nInterrupted before any test ran"


def restart(
    config: pytest.Config,
    args: list[str],
    *,
    is_within_session: bool,
    further_run: Request | None,
) -> None:
    """Run the same command below an engine, and exit as it does.

    :param args: of the command line and of the ini file, as far as they are known without what
        conftests declare.
    :param is_within_session: whether a session of pytest runs already in this process.
    :param further_run: what a run that looks for origins has been asked for, None if it is none.
    :raises pytest.UsageError: if this cannot work here, with what to do about it.
    """
    option = config.known_args_namespace
    name = "--valgrind" if option.valgrind else "--heapcheck"
    if not session_kind.tests_will_run(option) or session_kind.is_of_launcher(config):
        return
    if session_kind.is_started_by_execnet():
        raise pytest.UsageError(
            f"{name}: this worker of pytest-xdist was not started by it, so nothing would be "
            "checked: give -n or --tx with popen, ssh or socket."
        )
    if is_within_session:
        raise pytest.UsageError(
            f"{name}: pytest was called within a session that is not checked, and only a whole "
            f"process can be: give {name} to that session, or start this one in a process of its "
            "own (as pytester.runpytest_subprocess does)."
        )
    settings = Settings.of(config, option)
    if session_kind.is_distributed(option):
        if settings.valgrind and settings.heapcheck:
            raise pytest.UsageError(
                "--valgrind --heapcheck: workers of pytest-xdist have one engine: run the command "
                "twice with -n, once with each."
            )
        return
    command = Command.of_this_process()
    if further_run:
        from pytest_valgrind.launching.valgrind_launch import ValgrindLaunch

        # It reports nothing, however it ends.
        further = ValgrindLaunch(command, further_run.adapt(settings), further_run.home)
        raise SystemExit(further.run().code)
    launched = launch_of(command, settings)
    try:
        with ending_orderly():
            if launched.starts_slowly:
                from pytest_valgrind.launching.rehearsal import rehearse

                rehearse(config)
            if command.program:
                _say(
                    f"{launched.option}: {command.program} starts again, so its code before "
                    "pytest.main runs twice"
                )
            if settings.valgrind and settings.heapcheck:
                from pytest_valgrind.launching.native_phase import run_natively
                from pytest_valgrind.launching.valgrind_launch import ValgrindLaunch

                assert isinstance(launched, ValgrindLaunch)
                phase = run_natively(command, settings)
                launched.leaks_before = phase.leaks
                if phase.code is not None:
                    raise SystemExit(phase.code)
            code = _run_until_the_end(launched, settings, config, args)
    except KeyboardInterrupt:
        _say(_INTERRUPTED)
        code = pytest.ExitCode.INTERRUPTED
    # The interpreter, as it ends, would look for garbage among all that pytest has imported.
    gc.freeze()
    raise SystemExit(code)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _run_until_the_end(
    launch: Launch, settings: Settings, config: pytest.Config, args: list[str]
) -> int:
    """Run the tests, if need be in one process after another; return the exit code."""
    option = config.known_args_namespace
    most_failures = 1 if getattr(option, "stepwise", False) else option.maxfail
    end = launch.run()
    if end.was_stopped_early:
        _say(_INTERRUPTED)
        return end.code
    if not end.ran_session and end.code == 0:
        _say(f"ERROR: {launch.option}: nothing was checked: {end.words}.")
        return pytest.ExitCode.USAGE_ERROR
    if not end.reached_pytest:
        _say(f"{launch.option}: nothing was checked: {end.words}")
    if end.is_orderly:
        return end.code

    # Seldom needed, and most of what the launcher would import.
    from pytest_valgrind.recovery import history
    from pytest_valgrind.recovery.replay import replay

    histories = [end.history]
    while settings.resume and end.can_be_followed and (left := history.left_to_do(histories)):
        if most_failures and history.failures(histories) >= most_failures:
            break
        print(
            f"\n{launch.option}: {end.history.crash_message} Another process will run {left}.",
            flush=True,
        )
        end = launch.run(history.begun(histories), history.to_run_again(histories))
        history.replace_first_runs(histories, end.history)
        histories.append(end.history)
    if end.hides_failures:
        _say(
            f"{launch.option}: the process ended with exit code 0 (os._exit?) although tests failed"
        )
    elif not any(one.crash for one in histories):
        return end.code
    code = replay(histories, settings, config, args)
    return end.code if end.was_asked_for else code
