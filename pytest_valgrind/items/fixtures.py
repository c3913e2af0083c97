"""Fixtures that several tests share: their setup and teardown do not belong to one test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_valgrind.pytest_internals import finalizers_of

# How pytest calls the fixtures by which it runs functions of modules and classes, and those.
_FUNCTIONS = {
    "_xunit_setup_module_fixture_": ("setup_module", "teardown_module"),
    "_xunit_setup_class_fixture_": ("setup_class", "teardown_class"),
    "_unittest_setUpClass_fixture_": ("setUpClass", "tearDownClass"),
}
_OF_UNITTEST = ("setUpModule", "tearDownModule")


@dataclass(eq=False)
class FixturePhase:
    """The setup of a fixture that several tests share, or its teardown."""

    words: str  #: ``the setup of fixture db (module scope)``
    #: The fixture's, None where pytest's own stands in for it.
    function: Callable[..., object] | None = None
    #: The one that a teardown belongs to.
    setup: FixturePhase | None = None
    #: In the order of tests and of such phases, when it has begun.
    place: int = -1
    #: In which phase of which test it fell.
    when: str = ""


def is_shared(fixturedef: pytest.FixtureDef[object]) -> bool:
    """Whether a fixture outlives a test."""
    return fixturedef.scope != "function"


def phases_of(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> tuple[FixturePhase, FixturePhase]:
    """Return setup and teardown of a fixture that is about to be set up."""
    name = fixturedef.argname
    owner = getattr(request.node, "name", "")
    for prefix, names in _FUNCTIONS.items():
        if name.startswith(prefix):
            of_unittest = "module" in prefix and _has_unittest_functions(request.node)
            before, after = _OF_UNITTEST if of_unittest else names
            setup = FixturePhase(f"{before} of {owner}")
            return setup, FixturePhase(f"{after} of {owner}", setup=setup)
    fixture = f"fixture {name} ({fixturedef.scope} scope)"
    function = fixturedef.func
    setup = FixturePhase(f"the setup of {fixture}", function)
    return setup, FixturePhase(f"the teardown of {fixture}", function, setup)


def wrap_finalizers(
    fixturedef: pytest.FixtureDef[object],
    before: int,
    wrap: Callable[[Callable[[], object]], Callable[[], object]],
) -> None:
    """Wrap the finalizers that a fixture got when it was set up: what is below its ``yield``, too.

    :param before: how many there were before.
    """
    finalizers = finalizers_of(fixturedef)
    finalizers[before:] = [wrap(finalizer) for finalizer in finalizers[before:]]


def _has_unittest_functions(module: Any) -> bool:
    return any(hasattr(module.obj, name) for name in _OF_UNITTEST)
