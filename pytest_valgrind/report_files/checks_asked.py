"""Which checks were asked for: a run that has found nothing may have looked for nothing."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_valgrind.limits.limiter import Limiter
from pytest_valgrind.option_table import option_named

#: By their plugins, in whatever process.
_PLUGINS = {"hunt": "leaks_checker", "resources": "valgrind_resources_summary"}
_LIMITS = ("memory_limit", "limit_memory", "limit_markers")


def checks_asked(config: pytest.Config, engines: Iterable[str]) -> list[str]:
    """Return the names of the checks, engines first.

    Limits by markers alone are known only to the process that measures them.
    """
    plugins = config.pluginmanager
    others = [name for name, plugin in _PLUGINS.items() if plugins.has_plugin(plugin)]
    options = (option_named(name).value(config, config.option) for name in _LIMITS)
    has_limits = any(options) or any(isinstance(one, Limiter) for one in plugins.get_plugins())
    return [*engines, *others, *(["limits"] if has_limits else [])]
