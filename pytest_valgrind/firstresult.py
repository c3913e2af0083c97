"""Hooks of which the first implementation that has a result wins."""

from __future__ import annotations

from collections.abc import Mapping

import pluggy


def call_rest(hook: pluggy.HookCaller, plugin: object, arguments: Mapping[str, object]) -> object:
    """Call the implementations that would come after a plugin's own.

    An implementation that calls them itself has them below its own stack frame. Wrappers have been
    entered before it was called. If there is no result, the hook calls them once more.
    """
    __tracebackhide__ = True
    implementations = [
        implementation
        for implementation in hook.get_hookimpls()
        if not (implementation.wrapper or implementation.hookwrapper)
    ]
    own = next(
        index
        for index, implementation in enumerate(implementations)
        if implementation.plugin is plugin
    )
    for implementation in reversed(implementations[:own]):
        values = [arguments[name] for name in implementation.argnames]
        result = implementation.function(*values)
        if result is not None:
            return result
    return None
