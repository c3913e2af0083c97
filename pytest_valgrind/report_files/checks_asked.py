"""Which checks were asked for: a run that has found nothing may have looked for nothing."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_valgrind.limits.limiter import Limiter
from pytest_valgrind.option_table import option_named
from pytest_valgrind.options_of_hunts import are_ours

_LIMITS = ("memory_limit", "limit_memory", "limit_markers", "fail_on_increase")


def checks_asked(config: pytest.Config, engines: Iterable[str]) -> list[str]:
    """Return the names of the checks, engines first.

    Limits by markers alone are known only to the process that measures them.
    """
    option = config.option
    has_limits = any(option_named(name).value(config, option) for name in _LIMITS)
    asked = {
        "hunt": are_ours(config, option) and bool(option.leaks),
        "resources": bool(option_named("resources").value(config, option)),
        "limits": has_limits
        or any(isinstance(plugin, Limiter) for plugin in config.pluginmanager.get_plugins()),
    }
    return [*engines, *(name for name, is_asked in asked.items() if is_asked)]
