"""pytest's hooks. What only runs with ``--valgrind`` is imported where it is needed."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

from pytest_valgrind import running_on_valgrind, verdict
from pytest_valgrind.settings import Settings, add_options

#: Projects ask for the active checker by this name.
CHECKER = "valgrind_checker"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Start again under valgrind, before a conftest is imported and before output is captured."""
    option = early_config.known_args_namespace
    if option.valgrind and not running_on_valgrind():
        _launch(early_config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, under valgrind, the checker."""
    for name, meaning in verdict.MARKERS.items():
        config.addinivalue_line("markers", f"{name}(reason=None): {meaning}")
    if config.option.valgrind and running_on_valgrind():
        from pytest_valgrind.checker import ValgrindChecker

        _refuse_xdist(config.option)
        checker = ValgrindChecker(Settings.of(config, config.option))
        config.pluginmanager.register(checker, CHECKER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is to be skipped under valgrind, with or without the checker."""
    marker = item.get_closest_marker(verdict.SKIP)
    if marker is not None and running_on_valgrind():
        reason = verdict.reason_of(marker) or "skipped under valgrind"
        raise pytest.skip.Exception(reason, _use_item_location=True)


def _launch(config: pytest.Config) -> None:
    """Run the same command under valgrind, and exit as it does."""
    if sys.platform != "linux":
        raise pytest.UsageError(
            f"--valgrind works on Linux, and this is {sys.platform}: run the tests there, in a "
            "container or in WSL, say."
        )
    from pytest_valgrind import launch

    option = config.known_args_namespace
    if launch.tests_will_run(option):
        _refuse_xdist(option)
        command = [sys.executable, *sys.orig_argv[1:]]
        raise SystemExit(launch.Launch(command, Settings.of(config, option)).run())


def _refuse_xdist(option: object) -> None:
    distributed = getattr(option, "numprocesses", None) or getattr(option, "tx", None)
    if distributed or getattr(option, "dist", "no") not in ("no", None):
        raise pytest.UsageError(
            "--valgrind does not check the workers of pytest-xdist yet, so nothing would be "
            "checked: leave -n out, or add -n 0."
        )
