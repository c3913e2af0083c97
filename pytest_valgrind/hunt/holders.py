"""Where an object is kept, in words: the variable of a module, the attribute of an instance."""

from __future__ import annotations

import gc
import sys
from types import CellType, FrameType, ModuleType

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.objects.safe_repr import safe_repr
from pytest_valgrind.objects.type_facts import is_class, type_name


def in_words(thing: object) -> str:
    """Return an object's type and name, or else what it looks like."""
    kind = type_name(type(thing))
    for holder in gc.get_referrers(thing):
        if isinstance(holder, dict) and (name := _variable(thing, holder)):
            return f"{kind} {name}"
        if _is_instance(holder) and (name := _attribute(thing, holder)):
            return f"{kind} {name}"
    if isinstance(thing, (dict, list, tuple, set)):
        return f"a {kind} of {plural(len(thing), 'item')}"
    words = safe_repr(thing, 1)
    return words if words.startswith("<") else f"{kind} {words}"


def holder_of(thing: object, holder: object) -> str:
    """Return what keeps an object, empty if it is of no interest.

    :param holder: has a reference to it.
    """
    if isinstance(holder, FrameType):
        return ""
    if isinstance(holder, dict) and (name := _variable(thing, holder)):
        return f"the variable {name}"
    if _is_instance(holder) and (name := _attribute(thing, holder)):
        return name
    if isinstance(holder, CellType):
        return "a closure"
    return in_words(holder)


def _is_instance(holder: object) -> bool:
    return not isinstance(holder, (dict, list, tuple, set, FrameType, ModuleType))


def _variable(thing: object, variables: dict[object, object]) -> str:
    """Return the name of a module's variable, empty if the dictionary is no module's."""
    if "__name__" not in variables:
        return ""
    module = variables["__name__"]
    if not isinstance(module, str) or getattr(sys.modules.get(module), "__dict__", None) is not (
        variables
    ):
        return ""
    return next((f"{module}.{name}" for name, value in variables.items() if value is thing), "")


def _attribute(thing: object, owner: object) -> str:
    try:
        attributes = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return ""
    name = next((name for name, value in dict(attributes).items() if value is thing), "")
    if not name:
        return ""
    if is_class(owner):
        return f"{type_name(owner)}.{name}"  # type: ignore[arg-type]
    return f"{type_name(type(owner))}.{name}"
