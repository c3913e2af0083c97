"""The checks beside the engines: the memory log, limits to memory, and resources.

Every run of pytest imports this module, and none of the others.
"""

from __future__ import annotations

import os

import pytest

from pytest_valgrind import markers, session_kind

#: Options for reports that show the memory of each test.
_WITH_MEMORY = ("memory_report", "memory_json")
_OTHER_FILES = ("memory_earlier", "memory_sarif", "memory_baseline", "memory_annotations")


def are_wanted(config: pytest.Config) -> bool:
    """Whether a session has to do with any of them from its beginning on."""
    option = config.option
    return bool(
        option.memory_log
        or option.memory_limit
        or option.resources is not None
        or config.getini("memory_limit")
        or config.getini("resources")
        or _wants_report_files(config)
        or _shows_what_others_do(config)
    )


def register(config: pytest.Config, *, is_engine_asked_for: bool, replaces_another: bool) -> None:
    """Register what a session needs for them.

    :param is_engine_asked_for: whether tests run with an engine, whatever is checked here.
    :param replaces_another: whether this process goes on where one has died.
    :raises pytest.UsageError: if an option makes no sense.
    """
    _register_memory_log(config, replaces_another=replaces_another)
    _register_resources(config)
    reports = session_kind.reports(config) and not replaces_another
    if reports and _wants_report_files(config):
        from pytest_valgrind.report_files import session

        session.begin(config)
    if _shows_what_others_do(config):
        from pytest_valgrind.limits.problem_status import ProblemStatus

        config.pluginmanager.register(ProblemStatus())
        if not is_engine_asked_for and _wants_engine(config, config.option):
            from pytest_valgrind.limits.session import prepare_workers

            prepare_workers(config)


def start_early(config: pytest.Config) -> None:
    """Start again with the native engine, if it is wanted for limits, whichever markers there are.

    :param config: as it is before conftests are imported.
    """
    if _wants_engine(config, config.known_args_namespace):
        from pytest_valgrind.limits.session import start_early

        start_early(config)


def refuse_early(config: pytest.Config) -> None:
    """Refuse what cannot be reported, before an engine takes its time to start.

    :param config: as it is before conftests are imported.
    :raises pytest.UsageError: if it cannot.
    """
    option = config.known_args_namespace
    if option.memory_earlier or option.memory_report or config.getini("memory_report"):
        from pytest_valgrind.report_files import session

        session.page_writer(config, option)


def limit_memory(
    config: pytest.Config, items: list[pytest.Item], *, is_within_session: bool
) -> None:
    """Have tests measured that have a limit, if there are any.

    :param is_within_session: whether another session of pytest runs in this process.
    :raises pytest.UsageError: if a limit makes no sense.
    """
    if markers.have_limits(items) or _wants_engine(config, config.option):
        from pytest_valgrind.limits.session import begin

        begin(config, items, is_within_session=is_within_session)


def _wants_engine(config: pytest.Config, option: object) -> bool:
    given = any(getattr(option, name) for name in ("limit_memory", "limit_markers"))
    return bool(given or config.getini("limit_memory") or config.getini("limit_markers"))


def _shows_what_others_do(config: pytest.Config) -> bool:
    """Whether tests run in other processes, and this one shows what comes of them."""
    return session_kind.is_distributed(config.option) or session_kind.is_of_launcher(config)


def _wants_report_files(config: pytest.Config) -> bool:
    """Whether the run is to be written down, or GitHub to be told of it."""
    option = config.option
    return (
        "GITHUB_ACTIONS" in os.environ
        or option.memory_baseline_update
        or any(
            getattr(option, name) or config.getini(name) for name in (*_WITH_MEMORY, *_OTHER_FILES)
        )
    )


def _register_memory_log(config: pytest.Config, *, replaces_another: bool) -> None:
    option = config.option
    names = ("memory_log", "memory_limit", *_WITH_MEMORY)
    given = any(getattr(option, name) for name in names)
    if not (given or any(config.getini(name) for name in names[1:])):
        return
    from pytest_valgrind.memory_log import session

    session.begin(
        config,
        runs_tests=not _shows_what_others_do(config),
        begins_log=not (session_kind.is_of_launcher(config) or replaces_another),
    )


def _register_resources(config: pytest.Config) -> None:
    if config.option.resources is None and not config.getini("resources"):
        return
    from pytest_valgrind.option_table import option_named

    names = option_named("resources").value(config, config.option)
    if not names:
        return
    from pytest_valgrind.findings.baseline import NONE
    from pytest_valgrind.resources.checks import ResourceChecks
    from pytest_valgrind.resources.summary import ResourceSummary
    from pytest_valgrind.settings import baseline_of

    checks = ResourceChecks(
        names,
        fails=option_named("resources_fail").value(config, config.option),
        known_before=baseline_of(config, config.option) or NONE,
    )
    config.pluginmanager.register(checks, "valgrind_resources")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ResourceSummary(), "valgrind_resources_summary")
