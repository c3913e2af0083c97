"""Objects in words, without running code of their own.

For the clone in which lost objects are looked at: only built-in types are asked for anything, as a
method of any other may do whatever it likes. What an object has of a built-in type is read by the
C functions of that type, for objects of subclasses as well.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import gc
import io
import re
import sys
import types
import typing
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.objects.code_places import (
    code_words,
    frame_words,
    function_words,
    suspended_words,
    traceback_words,
)
from pytest_valgrind.objects.type_facts import (
    HEAP_TYPE,
    dict_of,
    flags_of,
    is_class,
    name_of,
    type_name,
)

_MOST_ITEMS = 4
_LONGEST_TEXT = 60  # characters
_LONGEST_INT = 256  # bits
_MOST_TRACEBACKS = 1000
_CONSTANTS = (float, complex, bool, type(None), type(Ellipsis), type(NotImplemented))
_BRACKETS: dict[type, str] = {dict: "{}", list: "[]", tuple: "()", set: "{}", frozenset: "{}"}
_TEXTS = (str, bytes, bytearray)
#: Those of which subclasses are read, too.
_BASES: tuple[Any, ...] = (*_BRACKETS, *_TEXTS, int, float, complex)
_args_of = vars(BaseException)["args"].__get__
_traceback_of = vars(BaseException)["__traceback__"].__get__
_alias_origin_of = vars(types.GenericAlias)["__origin__"].__get__
_alias_args_of = vars(types.GenericAlias)["__args__"].__get__


def safe_repr(thing: object, depth: int = 2) -> str:
    """Return a short representation; of an object whose type is not built in, what is safe to read.

    :param depth: how deep to go into what holds others.
    """
    kind = type(thing)
    if kind in _BASES or kind in _CONSTANTS:
        return _value(thing, kind, depth)
    if kind is range or kind is slice:
        parts: Any = thing
        numbers = (safe_repr(part, 0) for part in (parts.start, parts.stop, parts.step))
        return f"{kind.__name__}({', '.join(numbers)})"
    if is_class(thing):
        return f"<class {type_name(typing.cast(type, thing))}>"
    words = ""
    # It may be broken, a released memoryview, or a cell without contents.
    with contextlib.suppress(Exception):
        words = _words(thing, kind, depth)
    return f"<{type_name(kind)} {words}>" if words else f"<{type_name(kind)}>"


def _value(thing: Any, base: Any, depth: int) -> str:
    """Represent an object of a built-in type, or of a subclass of it as if it were of that type."""
    if base is int:
        bits = int.bit_length(thing)
        return int.__repr__(thing) if bits <= _LONGEST_INT else f"<int of {bits} bits>"
    if base in _TEXTS:
        text = repr(base.__getitem__(thing, slice(_LONGEST_TEXT)))
        return text if base.__len__(thing) <= _LONGEST_TEXT else f"{text}..."
    if base is dict:
        items = (
            f"{safe_repr(key, depth - 1)}: {safe_repr(value, depth - 1)}"
            for key, value in dict.items(thing)
        )
        return _joined(items, dict.__len__(thing), "{}", depth)
    if brackets := _BRACKETS.get(base):
        items = (safe_repr(item, depth - 1) for item in base.__iter__(thing))
        return _joined(items, base.__len__(thing), brackets, depth)
    return str(base.__repr__(thing))


def _joined(items: Iterator[str], count: int, brackets: str, depth: int) -> str:
    if depth <= 0:
        return f"{brackets[0]}...{brackets[1]}" if count else brackets
    shown = list(islice(items, _MOST_ITEMS))
    rest = ["..."] if count > len(shown) else []
    comma = "," if brackets == "()" and count == 1 else ""
    return f"{brackets[0]}{', '.join([*shown, *rest])}{comma}{brackets[1]}"


def _words(thing: object, kind: type, depth: int) -> str:
    """Return what stands behind the name of an object's type; nothing if only that is safe."""
    describe = _DESCRIBED.get(kind)
    if describe is not None:
        return describe(thing, depth)
    # Not isinstance, which asks a proxy for the class of its object.
    if issubclass(kind, BaseException):
        return _exception(thing, depth)
    if issubclass(type(kind), enum.EnumMeta):
        return _member(thing, kind)
    for base in _BASES:
        if issubclass(kind, base):
            return _value(thing, base, depth)
    return _of_loaded(thing, kind)


def _exception(error: object, depth: int) -> str:
    words = safe_repr(_args_of(error), depth)
    traceback = _traceback_of(error)
    for _ in range(_MOST_TRACEBACKS):
        if traceback is None or traceback.tb_next is None:
            break
        traceback = traceback.tb_next
    return f"{words}, raised in {traceback_words(traceback, 0)}" if traceback else words


def _owner(owner: object) -> str:
    """Name what a built-in function belongs to: a module, a class, an instance."""
    if type(owner) is ModuleType:
        name = vars(owner).get("__name__")
        return name if type(name) is str else ""
    return _class(owner) if is_class(owner) else type_name(type(owner))


def _builtin(function: Any, _depth: int) -> str:
    owner = function.__self__
    return function.__name__ if owner is None else f"{_owner(owner)}.{function.__name__}"


def _descriptor(descriptor: Any, _depth: int) -> str:
    return f"{type_name(descriptor.__objclass__)}.{descriptor.__name__}"


def _method(method: types.MethodType, depth: int) -> str:
    owner = method.__self__
    what = "class " if is_class(owner) else ""
    return f"{_called(method.__func__, depth)}, of {what}{_owner(owner)}"


def _called(function: object, depth: int) -> str:
    """Describe a function within something else."""
    if type(function) is FunctionType:
        return function_words(function, 0)
    return safe_repr(function, depth - 1) if depth > 0 else f"<{type_name(type(function))}>"


def _property(thing: property, depth: int) -> str:
    functions = (thing.fget, thing.fset, thing.fdel)
    return next((_called(function, depth) for function in functions if function is not None), "")


def _wrapper(thing: Any, depth: int) -> str:
    return _called(thing.__func__, depth)


def _partial(thing: functools.partial[Any], depth: int) -> str:
    given = [*map(_short, thing.args), *(f"{key}=..." for key in thing.keywords)]
    words = _called(thing.func, depth)
    return f"{words}, with {', '.join(given[:_MOST_ITEMS])}" if given else words


def _short(thing: object) -> str:
    return safe_repr(thing, 0)


def _cached(thing: object, depth: int) -> str:
    return _called(vars(thing)["__wrapped__"], depth)


def _cell(cell: types.CellType, depth: int) -> str:
    return _inside(cell.cell_contents, depth)


def _inside(thing: object, depth: int) -> str:
    return safe_repr(thing, depth - 1) if depth > 0 else "..."


def _weak(reference: weakref.ref[Any], _depth: int) -> str:
    thing = reference()
    return "dead" if thing is None else f"to {type_name(type(thing))}"


def _memoryview(view: memoryview, _depth: int) -> str:
    return f"of {type_name(type(view.obj))}, {plural(view.nbytes, 'byte')}"


def _module(module: ModuleType, _depth: int) -> str:
    return safe_repr(vars(module).get("__name__"), 0)


def _proxy(proxy: types.MappingProxyType[Any, Any], depth: int) -> str:
    (mapping,) = gc.get_referents(proxy)  # an item would be the mapping's own matter
    return _inside(mapping, depth)


def _class(thing: object) -> str:
    return type_name(typing.cast(type, thing)) if is_class(thing) else safe_repr(thing, 0)


def _alias(alias: object, _depth: int) -> str:
    arguments = ", ".join(map(_class, _alias_args_of(alias)))
    return f"{_class(_alias_origin_of(alias))}[{arguments}]"


def _union(union: Any, _depth: int) -> str:
    return " | ".join(map(_class, union.__args__))


def _named(thing: Any, _depth: int) -> str:
    return str(thing.__name__)


def _super(thing: Any, _depth: int) -> str:
    return f"of {_class(thing.__thisclass__)}"


def _deque(thing: deque[Any], depth: int) -> str:
    items = (safe_repr(item, depth - 1) for item in thing)
    return _joined(items, len(thing), "[]", depth)


def _namespace(thing: types.SimpleNamespace, depth: int) -> str:
    return safe_repr(vars(thing), depth)


def _pattern(pattern: re.Pattern[Any], _depth: int) -> str:
    return safe_repr(pattern.pattern, 0)


def _file(file: io.FileIO, _depth: int) -> str:
    return safe_repr(vars(file).get("name"), 0)


def _buffered(file: Any, depth: int) -> str:
    return _inside(file.raw, depth)


def _text_file(file: io.TextIOWrapper, depth: int) -> str:
    return _inside(file.buffer, depth)


def _member(thing: object, kind: type) -> str:
    """Return the name of an enumeration's member, as its class has it."""
    members = dict_of(kind).get("_member_map_")
    if type(members) is not dict:
        return ""
    return next((str(name) for name, member in members.items() if member is thing), "")


def _str(thing: object) -> str:
    return str(thing)[:_LONGEST_TEXT]


def _naive(moment: Any) -> str:
    """Represent a moment or a time of day without its time zone, whose class may be any."""
    return _str(moment.replace(tzinfo=None))


#: Types of modules that are there if there is an object of theirs.
_LOADED: dict[tuple[str, str], Callable[[Any], str]] = {
    ("_datetime", "date"): _str,
    ("_datetime", "timedelta"): _str,
    ("_datetime", "datetime"): _naive,
    ("_datetime", "time"): _naive,
    ("_decimal", "Decimal"): _str,
}


def _of_loaded(thing: object, kind: type) -> str:
    name = name_of(kind)
    for (module, known), describe in _LOADED.items():
        if known == name:
            loaded = sys.modules.get(module)
            if type(loaded) is ModuleType and vars(loaded).get(known) is kind:
                return describe(thing)
    if name == "PyCapsule" and not flags_of(kind) & HEAP_TYPE:
        # <capsule object "datetime.datetime_CAPI" at 0x7f...>
        return repr(thing).removeprefix("<capsule object ").rpartition(" at ")[0]
    return ""


def _each(kinds: Iterable[type], describe: Callable[[Any, int], str]) -> dict[type, Any]:
    return dict.fromkeys(kinds, describe)


_NAMED_TYPES = ("TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType")
#: What to say about objects of exactly these types: their attributes are read in C.
_DESCRIBED: dict[type, Callable[[Any, int], str]] = {
    CodeType: code_words,
    FunctionType: function_words,
    FrameType: frame_words,
    TracebackType: traceback_words,
    types.GeneratorType: suspended_words("gi"),
    types.CoroutineType: suspended_words("cr"),
    types.AsyncGeneratorType: suspended_words("ag"),
    **_each((types.BuiltinFunctionType, types.MethodWrapperType), _builtin),
    **_each(
        (
            types.MethodDescriptorType,
            types.WrapperDescriptorType,
            types.ClassMethodDescriptorType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
        ),
        _descriptor,
    ),
    types.MethodType: _method,
    property: _property,
    **_each((staticmethod, classmethod), _wrapper),
    functools.partial: _partial,
    functools._lru_cache_wrapper: _cached,
    types.CellType: _cell,
    weakref.ref: _weak,
    memoryview: _memoryview,
    ModuleType: _module,
    types.MappingProxyType: _proxy,
    types.GenericAlias: _alias,
    types.UnionType: _union,
    super: _super,
    deque: _deque,
    types.SimpleNamespace: _namespace,
    re.Pattern: _pattern,
    io.FileIO: _file,
    **_each((io.BufferedReader, io.BufferedWriter, io.BufferedRandom), _buffered),
    io.TextIOWrapper: _text_file,
}
if sys.version_info >= (3, 12):  # they were classes written in Python before
    _DESCRIBED |= {vars(typing)[name]: _named for name in _NAMED_TYPES}
