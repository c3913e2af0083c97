"""A pytest session inside another that is checked: that of a test which calls ``pytest.main``."""

from __future__ import annotations

import pytest

from pytest_valgrind import client
from pytest_valgrind.items.hook_chain import HookChain
from pytest_valgrind.session.process import SessionChecker

_PART = "valgrind: this session is part of one that is already checked"


class InnerSession:
    """Stands where a checker would be: all that is found belongs to the outer session.

    :param outer: that session's.
    """

    def __init__(self, outer: SessionChecker) -> None:
        self._outer = outer
        self._chain = HookChain(self)

    def pytest_report_header(self) -> str:
        """Say whose findings will be what."""
        return _PART

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Keep the stacks of crashes complete, although pytest has enabled faulthandler again."""
        client.handle_signals_on_stack()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object:
        """Call a test function near to a frame of the outer test: two sessions are deep."""
        __tracebackhide__ = True
        hook = pyfuncitem.ihook.pytest_pyfunc_call
        return self._outer.nearer(self._chain.call, hook, {"pyfuncitem": pyfuncitem})

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> object:
        """Do the same with the function of a fixture."""
        __tracebackhide__ = True
        hook = request.node.ihook.pytest_fixture_setup
        arguments = {"fixturedef": fixturedef, "request": request}
        value = self._outer.nearer(self._chain.call, hook, arguments)
        # No result would mean that the hook calls them all again.
        return True if value is None else value
