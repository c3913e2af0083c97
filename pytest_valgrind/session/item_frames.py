"""The frames of tests and fixtures: their functions are called right above those that bear numbers.

The stack of an allocation must reach down to such a frame, and has a limit.
"""

from __future__ import annotations

from functools import partial

import pytest

from pytest_valgrind.items.fixtures import is_shared, phases_of, wrap_finalizers
from pytest_valgrind.items.hook_chain import HookChain
from pytest_valgrind.pytest_internals import finalizers_of
from pytest_valgrind.session.item_runner import ItemRunner


class ItemFrames:
    """A plugin that calls the functions of tests and fixtures.

    :param runner: knows which test runs.
    """

    def __init__(self, runner: ItemRunner) -> None:
        self._runner = runner
        self._chain = HookChain(self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object:
        """Call a test function near to the frame that bears its number."""
        __tracebackhide__ = True
        hook = pyfuncitem.ihook.pytest_pyfunc_call
        return self._runner.nearer(self._chain.call, hook, {"pyfuncitem": pyfuncitem})

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> object:
        """Call a fixture's function near to the frame that bears the number of the test.

        One that several tests share has a number of its own, and its teardown another.
        """
        __tracebackhide__ = True
        hook = request.node.ihook.pytest_fixture_setup
        arguments = {"fixturedef": fixturedef, "request": request}
        if is_shared(fixturedef):
            value = self._set_up_shared(fixturedef, request, hook, arguments)
        else:
            try:
                value = self._runner.nearer(self._chain.call, hook, arguments)
            finally:
                self._runner.fixture_was_set_up(fixturedef.func)
        # No result would mean that the hook calls them all again. Nobody uses it but to know
        # that there is one: the value is in the fixture's cache.
        return True if value is None else value

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
