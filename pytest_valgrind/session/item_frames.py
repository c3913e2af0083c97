"""The frames of tests and fixtures: their functions are called right above those that bear numbers.

The stack of an allocation must reach down to such a frame, and has a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from pytest_valgrind.items.fixtures import is_shared, phases_of, wrap_finalizers
from pytest_valgrind.items.hook_chain import HookChain
from pytest_valgrind.pytest_internals import finalizers_of
from pytest_valgrind.session.item_runner import ItemRunner


class NearFrames:
    """A plugin that calls the functions of tests and fixtures near to a frame with a number.

    :param nearer: calls a function right above such a frame.
    """

    def __init__(self, nearer: Callable[..., object]) -> None:
        self._nearer = nearer
        self._chain = HookChain(self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object:
        """Call a test function."""
        __tracebackhide__ = True
        hook = pyfuncitem.ihook.pytest_pyfunc_call
        return self._nearer(self._chain.call, hook, {"pyfuncitem": pyfuncitem})

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> object:
        """Call a fixture's function."""
        __tracebackhide__ = True
        hook = request.node.ihook.pytest_fixture_setup
        arguments = {"fixturedef": fixturedef, "request": request}
        value = self._set_up(fixturedef, request, hook, arguments)
        # No result would mean that the hook calls them all again. Nobody uses it but to know
        # that there is one: the value is in the fixture's cache.
        return True if value is None else value

    def _set_up(
        self,
        _fixturedef: pytest.FixtureDef[object],
        _request: pytest.FixtureRequest,
        *call: object,
    ) -> object:
        __tracebackhide__ = True
        return self._nearer(self._chain.call, *call)


class ItemFrames(NearFrames):
    """The same, where a fixture that tests share has a number of its own, and its teardown another.

    :param runner: knows which test runs.
    """

    def __init__(self, runner: ItemRunner) -> None:
        super().__init__(runner.nearer)
        self._runner = runner

    def _set_up(
        self,
        fixturedef: pytest.FixtureDef[object],
        request: pytest.FixtureRequest,
        *call: object,
    ) -> object:
        __tracebackhide__ = True
        if is_shared(fixturedef):
            return self._set_up_shared(fixturedef, request, *call)
        try:
            return super()._set_up(fixturedef, request, *call)
        finally:
            self._runner.fixture_was_set_up(fixturedef.func)

    def _set_up_shared(
        self,
        fixturedef: pytest.FixtureDef[object],
        request: pytest.FixtureRequest,
        *call: object,
    ) -> object:
        __tracebackhide__ = True
        setup, teardown = phases_of(fixturedef, request)
        before = len(finalizers_of(fixturedef))
        in_phase = self._runner.in_fixture
        try:
            return in_phase(setup, self._chain.call, *call)
        finally:
            wrap_finalizers(
                fixturedef, before, lambda finalizer: partial(in_phase, teardown, finalizer)
            )
