"""pytest's hooks. What they need is imported where it is needed, and as usual: see below."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator

import pytest

#: Projects ask for the active checker by this name.
CHECKER = "valgrind_checker"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options."""
    with _imports_as_usual(pluginmanager):
        from pytest_valgrind.settings import add_options
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Start again under valgrind, before a conftest is imported and before output is captured."""
    with _imports_as_usual(early_config.pluginmanager):
        from pytest_valgrind import running_on_valgrind

        on_valgrind = running_on_valgrind()
    if early_config.known_args_namespace.valgrind and not on_valgrind:
        _launch(early_config)
    if early_config.known_args_namespace.valgrind:
        with _imports_as_usual(early_config.pluginmanager):
            from pytest_valgrind.arithmetic import OPTIONS

        option = early_config.known_args_namespace
        option.pythonwarnings = [*(option.pythonwarnings or []), *OPTIONS]
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, under valgrind, the checker."""
    with _imports_as_usual(config.pluginmanager):
        from pytest_valgrind import running_on_valgrind
        from pytest_valgrind.verdict import MARKERS

        checks = config.option.valgrind and running_on_valgrind()
        if checks:
            from pytest_valgrind.checker import ValgrindChecker
            from pytest_valgrind.settings import Settings
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}(reason=None): {meaning}")
    if checks:
        _refuse_xdist(config.option)
        checker = ValgrindChecker(Settings.of(config, config.option), config.pluginmanager)
        config.pluginmanager.register(checker, CHECKER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is to be skipped under valgrind, with or without the checker."""
    marker = item.get_closest_marker("valgrind_skip")
    if marker is None:
        return
    from pytest_valgrind import running_on_valgrind
    from pytest_valgrind.verdict import reason_of

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


def _launch(config: pytest.Config) -> None:
    """Run the same command under valgrind, and exit as it does."""
    if sys.platform != "linux":
        raise pytest.UsageError(
            f"--valgrind works on Linux, and this is {sys.platform}: run the tests there, in a "
            "container or in WSL, say."
        )
    from pytest_valgrind import launch
    from pytest_valgrind.settings import Settings

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
