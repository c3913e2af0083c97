"""Where an object is kept, in words: the variable of a module, the attribute of an instance.

What has no such name may be in something that has: an item of a list in a dictionary, a value in
the cache of a function.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from types import FrameType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any, NamedTuple

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.hunt.sizes import size_of
from pytest_valgrind.objects.safe_repr import safe_repr
from pytest_valgrind.objects.type_facts import is_class, type_name

#: Holders that are looked for, one of the other, and the most of them that are looked at.
_DEPTH = 4
_WIDTH = 50
_CONSTANTS = (type(None), type(Ellipsis), type(NotImplemented), bool)
# Equal ones are one object in many places.
_SHARED = (*_CONSTANTS, int, float)
_NOTHING = object()
#: In the names of what hunts itself has hold of.
_OWN = f"{__name__.rpartition('.')[0]}."


class Place(NamedTuple):
    """Where an object is kept."""

    name: str  #: type and name of the object, or of what it is in
    is_own: bool  #: whether the object itself is what has the name


class _Step(NamedTuple):
    """An object on the way up from the one whose place is looked for."""

    thing: object
    held: object  #: what it holds on that way


def in_words(thing: object, place: Place | None) -> str:
    """Return an object's type and name, or else what it looks like and what it is in.

    :param place: where it is kept.
    """
    if place is not None and place.is_own:
        return place.name
    kind, size = type_name(type(thing)), size_of(thing)
    words = safe_repr(thing, 1)
    if size is not None and type(thing) is not bytearray:
        words = f"a {kind} of {plural(size, 'item')}"
    elif type(thing) not in _CONSTANTS and not words.startswith(("<", kind)):
        words = f"{kind} {words}"
    return f"{words} in {place.name}" if place else words


def place_of(
    thing: object, is_old: Callable[[object], bool], *, by_others: bool = False
) -> Place | None:
    """Return where an object is kept, None if nothing that keeps it has a name.

    :param is_old: whether an object was there before anybody looked for this one: those that look
        for it have hold of it, too.
    :param by_others: whether the name that a class, function or module has of itself is none.
    """
    if type(thing) in _SHARED:
        return None
    if not by_others and (own := _own_name(thing)):
        return Place(f"{type_name(type(thing))} {own}", is_own=True)
    steps, seen = [_Step(thing, _NOTHING)], {id(thing)}
    for _ in range(_DEPTH):
        held = [step.thing for step in steps]
        holders = [
            holder
            for holder in gc.get_referrers(*held)
            if holder is not held and id(holder) not in seen
            if type(holder) is not FrameType and (is_old(holder) or _has_names(holder))
        ]
        # Variables of modules say more than attributes.
        holders.sort(key=lambda holder: type(holder) is not dict)
        for step in steps:
            for holder in holders:
                for named, name in _names(step, holder):
                    if _OWN in name:
                        continue
                    return Place(name, is_own=named is thing)
        seen.update(map(id, holders))
        steps = [
            _Step(holder, thing)
            for thing in held
            for holder in holders[:_WIDTH]
            if any(thing is found for found in gc.get_referents(holder))
        ]
        del holders
    return None


def _has_names(holder: object) -> bool:
    """Whether it may be an object's attributes: these get a dictionary when they are asked for."""
    return type(holder) is dict and isinstance(next(iter(holder), None), str)


def _names(step: _Step, holder: object) -> Iterator[tuple[object, str]]:
    """Yield what has a name because of its holder, and this name."""
    if type(holder) is dict:
        if name := _variable(step.thing, holder):
            yield step.thing, f"{type_name(type(step.thing))} {name}"
    elif type(holder) is FunctionType and step.thing is holder.__closure__:
        yield step.thing, f"the closure of {_own_name(holder)}"
    elif type(holder) is FunctionType and (
        step.thing is holder.__defaults__ or step.thing is holder.__kwdefaults__
    ):
        yield step.thing, f"the defaults of {_own_name(holder)}"
    elif type(holder) not in (list, tuple, set, frozenset, ModuleType):
        # Either is an attribute of the holder, or the dictionary of its attributes.
        for thing in (step.thing, step.held):
            if thing is not _NOTHING and (name := _attribute(thing, holder)):
                yield thing, f"{type_name(type(thing))} {name}"


def _own_name(thing: object) -> str:
    """Return the full name that classes, functions and modules have themselves, or nothing."""
    if is_class(thing):
        return type_name(thing)  # type: ignore[arg-type]
    if type(thing) is FunctionType:
        return f"{thing.__module__}.{thing.__qualname__}"
    if type(thing) is dict and (module := _module_of(thing)):
        return f"of the variables of {module}"
    return thing.__name__ if type(thing) is ModuleType else ""


def _variable(thing: object, variables: dict[object, object]) -> str:
    """Return the name of a module's variable, empty if the dictionary is no module's."""
    if not (module := _module_of(variables)):
        return ""
    return next((f"{module}.{name}" for name, value in variables.items() if value is thing), "")


def _module_of(variables: dict[Any, Any]) -> str:
    """Return the name of the module whose variables these are, empty if they are not."""
    module = variables.get("__name__")
    if not isinstance(module, str):
        return ""
    found = getattr(sys.modules.get(module), "__dict__", None)
    return module if found is variables else ""


def _attribute(thing: object, owner: object) -> str:
    """Return the name of an attribute with that of the owner's type."""
    owners = _own_name(owner) or type_name(type(owner))
    try:
        attributes = dict(object.__getattribute__(owner, "__dict__"))
    except AttributeError:
        attributes = {}
    names = (name for name, value in attributes.items() if value is thing)
    if name := next((name for name in names if isinstance(name, str)), ""):
        return f"{owners}.{name}"
    for kind in type(owner).__mro__:
        for name, member in vars(kind).items():
            if type(member) is MemberDescriptorType and _value(member, owner) is thing:
                return f"{owners}.{name}"
    return ""


def _value(member: MemberDescriptorType, owner: object) -> object:
    try:
        return member.__get__(owner)
    except AttributeError:  # it has none
        return _NOTHING
