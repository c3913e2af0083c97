"""Objects in words, for which no code of theirs runs."""

from __future__ import annotations

import collections
import datetime
import decimal
import functools
import re
import sys
import types
import typing
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hostile import (
    Hostile,
    HostileDict,
    HostileEnum,
    HostileError,
    HostileInt,
    HostileList,
    HostileStr,
    HostileZone,
    OfHostileMeta,
)

from pytest_valgrind.objects.safe_repr import safe_repr
from pytest_valgrind.objects.type_facts import type_name


class Node:
    """Has something of everything."""

    __slots__ = ("__weakref__", "slot")

    def work(self) -> None: ...

    @classmethod
    def make(cls) -> None: ...

    @staticmethod
    def help() -> None: ...

    @property
    def value(self) -> int:
        return 1


class Point(typing.NamedTuple):
    x: int
    y: int


def function() -> None: ...


def accepting(*_args: object, **_keywords: object) -> None: ...


def generator() -> Iterator[int]:
    yield 1
    yield 2


async def coroutine() -> None: ...


async def async_generator() -> AsyncIterator[int]:
    yield 1


def started() -> Iterator[int]:
    """Return a generator that waits in its second line."""
    made = generator()
    next(made)
    next(made)
    return made


def finished() -> Iterator[int]:
    """Return a generator that has nothing left."""
    made = generator()
    list(made)
    return made


def raised(error: Exception) -> Exception:
    """Return an exception that has been raised in another function."""

    def fail() -> NoReturn:
        raise error

    try:
        fail()
    except Exception as caught:
        return caught


def released() -> memoryview:
    """Return a view of nothing any more."""
    view = memoryview(b"abc")
    view.release()
    return view


def closed(coroutine: Any) -> object:
    """Return a coroutine of which nobody expects that it is awaited."""
    coroutine.close()
    return coroutine


MAKE = vars(Node)["make"].__func__


def line_of(code: types.CodeType, offset: int = 0) -> str:
    """Return the place of a line of a function."""
    return f"{code.co_filename}:{code.co_firstlineno + offset}"


QUALIFIED = sys.version_info >= (3, 11)  # code knows only the short name before


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (1, "1"),
        (10**100, "<int of 333 bits>"),
        (1.5, "1.5"),
        (1j, "1j"),
        (None, "None"),
        (..., "Ellipsis"),
        ("a" * 100, f"'{'a' * 60}'..."),
        (b"ab", "b'ab'"),
        ([], "[]"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, ...]"),
        ({"a": [1, [2, 3]]}, "{'a': [1, [...]]}"),
        ((1, ()), "(1, ())"),
        ((1,), "(1,)"),
        ({1}, "{1}"),
        (range(3), "range(0, 3, 1)"),
        (slice(1, None), "slice(1, None, None)"),
    ],
)
def test_builtin_types_are_shown(thing: object, expected: str) -> None:
    """The representation is short."""
    assert safe_repr(thing) == expected


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: function, f"<function function, {line_of(function.__code__)}>"),
        (lambda: function.__code__, f"<code function, {line_of(function.__code__)}>"),
        (generator, f"<generator generator, {line_of(generator.__code__)}>"),
        (started, f"<generator generator, {line_of(generator.__code__, 2)}>"),
        (finished, f"<generator generator, {line_of(generator.__code__)}, finished>"),
        (
            lambda: closed(coroutine()),
            f"<coroutine coroutine, {line_of(coroutine.__code__)}, finished>",
        ),
        (
            async_generator,
            f"<async_generator async_generator, {line_of(async_generator.__code__)}>",
        ),
        (lambda: Node().work, f"<method Node.work, {line_of(Node.work.__code__)}, of {{}}.Node>"),
        (
            lambda: Node.make,
            f"<method Node.make, {line_of(MAKE.__code__)}, of class {{}}.Node>",
        ),
        (
            lambda: vars(Node)["make"],
            f"<classmethod Node.make, {line_of(MAKE.__code__)}>",
        ),
        (lambda: vars(Node)["help"], f"<staticmethod Node.help, {line_of(Node.help.__code__)}>"),
        (
            lambda: vars(Node)["value"],
            f"<property Node.value, {line_of(vars(Node)['value'].fget.__code__)}>",
        ),
        (property, "<property>"),
        (
            lambda: functools.partial(accepting, 1, [2], key=3),
            f"<functools.partial accepting, {line_of(accepting.__code__)}, with 1, [...], key=...>",
        ),
        (lambda: functools.partial(len), "<functools.partial <builtin_function_or_method"),
        (
            lambda: functools.lru_cache(function),
            f"<functools._lru_cache_wrapper function, {line_of(function.__code__)}>",
        ),
        (lambda: len, "<builtin_function_or_method builtins.len>"),
        (lambda: [].append, "<builtin_function_or_method list.append>"),
        (lambda: dict.fromkeys, "<builtin_function_or_method dict.fromkeys>"),
        (lambda: [].__len__, "<method-wrapper list.__len__>"),
        (lambda: dict.get, "<method_descriptor dict.get>"),
        (lambda: int.__add__, "<wrapper_descriptor int.__add__>"),
        (lambda: vars(dict)["fromkeys"], "<classmethod_descriptor dict.fromkeys>"),
        (lambda: vars(Node)["slot"], "<member_descriptor {}.Node.slot>"),
        (
            lambda: vars(types.FunctionType)["__code__"],
            "<getset_descriptor function.__code__>",
        ),
        (lambda: types.CellType([1]), "<cell [1]>"),
        (types.CellType, "<cell>"),
        (lambda: weakref.ref(Node), "<{weakref} to type>"),
        (lambda: weakref.ref(Node()), "<{weakref} dead>"),
        (lambda: memoryview(b"abc"), "<memoryview of bytes, 3 bytes>"),
        (released, "<memoryview>"),
        (lambda: sys, "<module 'sys'>"),
        (lambda: types.MappingProxyType({1: 2}), "<mappingproxy {{1: 2}}>"),
        (lambda: list[int], "<types.GenericAlias list[int]>"),
        (lambda: super(Node, Node()), "<super of {}.Node>"),
        (lambda: collections.deque([1, 2]), "<collections.deque [1, 2]>"),
        (lambda: collections.OrderedDict(a=1), "<collections.OrderedDict {{'a': 1}}>"),
        (lambda: collections.defaultdict(int, a=1), "<collections.defaultdict {{'a': 1}}>"),
        (lambda: collections.Counter("aab"), "<collections.Counter {{'a': 2, 'b': 1}}>"),
        (lambda: types.SimpleNamespace(a=1), "<types.SimpleNamespace {{'a': 1}}>"),
        (lambda: re.compile("a+"), "<re.Pattern 'a+'>"),
        (lambda: datetime.date(2024, 1, 2), "<datetime.date 2024-01-02>"),
        (lambda: datetime.timedelta(1), "<datetime.timedelta 1 day, 0:00:00>"),
        (
            lambda: datetime.datetime(2024, 1, 2, tzinfo=HostileZone()),
            "<datetime.datetime 2024-01-02 00:00:00>",
        ),
        (lambda: decimal.Decimal("1.50"), "<decimal.Decimal 1.50>"),
        (lambda: datetime.datetime_CAPI, '<PyCapsule "datetime.datetime_CAPI">'),
        (lambda: KeyError("key", [1]), "<KeyError ('key', [1])>"),
        (lambda: Point(1, 2), "<{}.Point (1, 2)>"),
        (lambda: sys.float_info, "<sys.float_info ("),
        (object, "<object>"),
    ],
)
def test_types_of_the_interpreter_are_described(make: Callable[[], object], expected: str) -> None:
    """The words are name and place, or what is in them."""
    expected = expected.format(__name__, weakref=type_name(weakref.ref))
    shown = safe_repr(make())
    if expected.endswith(">"):
        assert shown == expected
    else:
        assert shown.startswith(expected)


def test_frame_and_traceback() -> None:
    """The line says where they are."""
    frame = sys._getframe()
    code = frame.f_code
    assert safe_repr(frame) == f"<frame {code.co_name}, {code.co_filename}:{frame.f_lineno}>"
    error = raised(ValueError("x"))
    traceback = error.__traceback__
    assert traceback
    place = f"{code.co_filename}:{traceback.tb_lineno}"
    assert safe_repr(traceback) == f"<traceback raised, {place}>"
    inner = "raised.<locals>.fail" if QUALIFIED else "fail"
    assert safe_repr(error).startswith(
        f"<ValueError ('x',), raised in {inner}, {code.co_filename}:"
    )


def test_open_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name stands for all objects that it is made of."""
    monkeypatch.chdir(tmp_path)
    with Path("new").open("w") as file:
        assert safe_repr(file) == "<_io.TextIOWrapper <_io.BufferedWriter <_io.FileIO 'new'>>>"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a class written in Python")
def test_type_variable() -> None:
    """Its name describes it."""
    assert safe_repr(typing.TypeVar("Some")) == "<typing.TypeVar Some>"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Hostile, "<{}.Hostile>"),
        (lambda: [Hostile()], "[<{}.Hostile>]"),
        (lambda: HostileList([1]), "<{}.HostileList [1]>"),
        (lambda: HostileDict(a=1), "<{}.HostileDict {{'a': 1}}>"),
        (lambda: HostileInt(1), "<{}.HostileInt 1>"),
        (lambda: HostileStr("ab"), "<{}.HostileStr 'ab'>"),
        (lambda: HostileError("ab", Hostile()), "<{}.HostileError ('ab', <{}.Hostile>)>"),
        (lambda: HostileEnum.RED, "<{}.HostileEnum RED>"),
        (lambda: OfHostileMeta, "<class {}.OfHostileMeta>"),
        (lambda: Hostile, "<class {}.Hostile>"),
        (lambda: functools.partial(Hostile()), "<functools.partial <{}.Hostile>>"),
        (lambda: types.MethodType(Hostile(), Hostile()), "<method <{}.Hostile>, of {}.Hostile>"),
        (lambda: types.MethodType(len, OfHostileMeta), "of class {}.OfHostileMeta>"),
        (
            lambda: property(functools.partial(Hostile())),
            "<property <functools.partial <{}.Hostile>>>",
        ),
        (lambda: types.CellType(Hostile()), "<cell <{}.Hostile>>"),
        (lambda: types.MappingProxyType(HostileDict(a=1)), "<mappingproxy <{}.HostileDict {{"),
        (lambda: types.GenericAlias(Hostile, (Hostile(),)), "{}.Hostile[<{}.Hostile>]>"),
        (lambda: weakref.ref(OfHostileMeta), " to HostileMeta>"),
        (lambda: types.SimpleNamespace(a=Hostile()), "{{'a': <{}.Hostile>}}>"),
    ],
)
def test_no_code_of_an_object_runs(make: Callable[[], object], expected: str) -> None:
    """What it has of a built-in type is shown."""
    assert expected.format("hostile", "hostile") in safe_repr(make())


@pytest.mark.parametrize("wrap", [lambda x: [x], functools.partial, types.CellType, staticmethod])
def test_deep_nesting(wrap: Callable[[object], object]) -> None:
    """It is not followed to its end."""
    thing: object = function
    for _ in range(50):
        thing = wrap(thing)
    assert len(safe_repr(thing)) < 150


def test_list_that_holds_itself() -> None:
    """It is not followed for ever."""
    items: list[object] = []
    items.append(items)
    assert safe_repr(items) == "[[[...]]]"


def test_proxy_of_a_dead_object() -> None:
    """It would raise ReferenceError if it were asked for its class."""
    proxy = weakref.proxy(type("Local", (), {})())
    assert safe_repr(proxy) == f"<{type_name(type(proxy))}>"
