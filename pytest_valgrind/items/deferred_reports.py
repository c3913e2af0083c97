"""Reports that are held back until it is known what valgrind has to say about their test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_valgrind import pytest_internals

_START = "pytest_runtest_logstart"
_HELD = (_START, "pytest_runtest_logreport", "pytest_runtest_logfinish")


class Event(NamedTuple):
    """A call of a hook that was held back."""

    hook: Callable[..., object]
    arguments: dict[str, Any]

    @property
    def report(self) -> pytest.TestReport | None:
        """The report that it is about."""
        report: pytest.TestReport | None = self.arguments.get("report")
        return report


class DeferredReports:
    """Stands between the items of a session and the hooks by which their reports are logged.

    Whoever runs a test, pytest or a plugin that runs it several times, calls them by way of
    ``item.ihook``, which asks the session.

    :param live_start: called with the hook that says that a test begins, None to hold that back
        as well.
    """

    def __init__(
        self, session: pytest.Session, live_start: Callable[[partial[object]], None] | None
    ) -> None:
        self._live_start = live_start
        self._events: list[Event] | None = None
        self._real = session.gethookproxy
        self._proxies: dict[Path, object] = {}
        # An attribute, which hides the method.
        pytest_internals.replace_hook_proxy(session, self._proxy)

    def hold(self, events: list[Event]) -> None:
        """Collect the calls from now on."""
        self._events = events

    def release(self) -> None:
        """Let calls pass from now on."""
        self._events = None

    def _proxy(self, fspath: Path) -> object:
        # No conftest is loaded while tests run, so that it need not be made anew for each hook.
        proxy = self._proxies.get(fspath)
        if proxy is None:
            proxy = self._proxies[fspath] = _Proxy(self._real(fspath), self._call)
        return proxy

    def _call(self, name: str, hook: Callable[..., object], **arguments: Any) -> object:
        if self._events is None:
            return hook(**arguments)
        if name == _START and self._live_start is not None:
            self._live_start(partial(hook, **arguments))
        else:
            self._events.append(Event(hook, arguments))
        return []


class _Proxy:
    """All hooks, those that are held back through another function."""

    def __init__(self, hooks: object, call: Callable[..., object]) -> None:
        self._hooks = hooks
        for name in _HELD:
            setattr(self, name, partial(call, name, getattr(hooks, name)))

    def __getattr__(self, name: str) -> object:
        hook = getattr(self._hooks, name)
        setattr(self, name, hook)
        return hook
