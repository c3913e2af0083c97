"""Hooks of which the first implementation that has a result wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pluggy


class HookChain:
    """Calls the implementations that would come after a plugin's own.

    A plugin that calls them itself has them below its own stack frame. Wrappers have been entered
    before it is called. If there is no result, the hook will call them once more.
    """

    def __init__(self, plugin: object) -> None:
        self._plugin = plugin
        # They are the same for most tests.
        self._found: dict[pluggy.HookCaller, list[tuple[Callable[..., object], list[str]]]] = {}

    def call(self, hook: pluggy.HookCaller, arguments: Mapping[str, object]) -> object:
        """Return the first result, None if there is none."""
        __tracebackhide__ = True
        rest = self._found.get(hook)
        if rest is None:
            rest = self._found[hook] = self._find(hook)
        for function, names in rest:
            result = function(*[arguments[name] for name in names])
            if result is not None:
                return result
        return None

    def _find(self, hook: pluggy.HookCaller) -> list[tuple[Callable[..., object], list[str]]]:
        implementations = [
            implementation
            for implementation in reversed(hook.get_hookimpls())
            if not (implementation.wrapper or implementation.hookwrapper)
        ]
        plugins = [implementation.plugin for implementation in implementations]
        return [
            (implementation.function, list(implementation.argnames))
            for implementation in implementations[plugins.index(self._plugin) + 1 :]
        ]
