"""Objects that are kept alive, in every way there is: none of them is lost."""

from __future__ import annotations

import abc
import asyncio
import builtins
import collections
import contextvars
import ctypes
import enum
import functools
import gc
import linecache
import re
import sys
import threading
import types
import typing
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar

import pytest
from cffi import FFI

KEPT: list[Any] = []
NAMES: dict[str, Any] = {}
WEAKLY_KEPT: weakref.WeakValueDictionary[str, Node] = weakref.WeakValueDictionary()
KEPT_WEAKLY_BY_KEY: weakref.WeakKeyDictionary[Node, object] = weakref.WeakKeyDictionary()
LOCAL = threading.local()
VARIABLE: contextvars.ContextVar[object] = contextvars.ContextVar("kept")
Item = TypeVar("Item")


class Node:
    def __init__(self, *items: object) -> None:
        self.items = items


class Slotted:
    __slots__ = ("__weakref__", "value")

    value: object


def made() -> list[object]:
    return [object(), {"name": [1]}, Node(1)]


def test_keep_module_global() -> None:
    KEPT.append(made())


def test_keep_module_attribute() -> None:
    setattr(sys.modules[__name__], "attribute", made())  # noqa: B010


def test_keep_new_module() -> None:
    module = types.ModuleType("kept_module")
    module.items = made()  # type: ignore[attr-defined]
    sys.modules["kept_module"] = module


def test_keep_replaced_global() -> None:
    for _ in range(10):
        NAMES["replaced"] = made()


def test_keep_lru_cache() -> None:
    cached("one")
    cached("two")


@functools.lru_cache(maxsize=1)
def cached(name: str) -> list[object]:
    return [name, *made()]


def test_keep_cached_property() -> None:
    class Local:
        @functools.cached_property
        def items(self) -> list[object]:
            return made()

    local = Local()
    assert local.items
    KEPT.append(local)


def test_keep_single_dispatch() -> None:
    @functools.singledispatch
    def local(thing: object) -> object:
        return thing

    local.register(Node, lambda node: [node])
    local(Node())
    KEPT.append(local)


def test_keep_cache_of_re() -> None:
    assert re.compile("kept+ [p]attern").match("kept pattern")


def test_keep_cache_of_linecache() -> None:
    assert linecache.getlines(__file__)


def test_keep_cache_of_typing() -> None:
    assert typing.Optional[Node]  # noqa: UP045
    assert typing.Callable[[Node], Slotted]


def test_keep_generic_class() -> None:
    class Box(Generic[Item]):
        pass

    KEPT.append(Box[Node]())


def test_keep_weak_value() -> None:
    node = Node()
    WEAKLY_KEPT["node"] = node
    KEPT.append([node])


def test_keep_weak_key() -> None:
    node = Node()
    KEPT_WEAKLY_BY_KEY[node] = made()
    KEPT.append([node])


def test_keep_weak_reference() -> None:
    node = Node()
    KEPT.extend(([node], weakref.ref(node), weakref.ref(node, print), weakref.proxy(node)))


def test_keep_weak_method() -> None:
    class Local:
        def method(self) -> None: ...

    local = Local()
    KEPT.extend(([local], weakref.WeakMethod(local.method)))


def test_keep_dead_weak_reference() -> None:
    KEPT.append(weakref.ref(Node()))


def test_keep_finaliser() -> None:
    node = Node()
    KEPT.append(weakref.finalize(node, made))
    KEPT.append([node])


def test_keep_closure() -> None:
    items = made()

    def local() -> object:
        return items

    KEPT.append(local)


def test_keep_counter_in_closure() -> None:
    count = made()

    def local() -> None:
        nonlocal count
        count = [*count, object()]

    local()
    KEPT.append(local)


def test_keep_called_often() -> None:
    def local(items: object = 1) -> object:
        return [items]

    for _ in range(1000):
        local()
    KEPT.append(local)


def test_keep_cycle() -> None:
    items: list[object] = made()
    items.append(items)


def test_keep_cycle_of_instances() -> None:
    one, two = Node(), Node()
    one.items, two.items = (two,), (one,)


def test_keep_cycle_with_finaliser() -> None:
    class Local:
        def __del__(self) -> None:
            KEPT.append(made())

    local = Local()
    local.itself = local  # type: ignore[attr-defined]


def test_keep_resurrected() -> None:
    class Local:
        def __del__(self) -> None:
            KEPT.append(self)

    local = Local()
    local.itself = local  # type: ignore[attr-defined]


def test_keep_cycle_left_for_later() -> None:
    gc.disable()
    try:
        for _ in range(100):
            items: list[object] = made()
            items.append(items)
    finally:
        gc.enable()


def test_keep_caught_exception() -> None:
    try:
        raise ValueError(made())
    except ValueError as error:
        KEPT.append(error)


def test_keep_chained_exceptions() -> None:
    try:
        try:
            raise ValueError(made())
        except ValueError as error:
            raise KeyError(made()) from error
    except KeyError as error:
        KEPT.append(error)


def test_keep_exception_group() -> None:
    group = getattr(builtins, "ExceptionGroup", None)  # from 3.11 on
    KEPT.append(group and group("kept", [ValueError(made())]))


def test_keep_raises() -> None:
    with pytest.raises(ValueError, match="items") as info:
        raise ValueError("items", made())
    KEPT.append(info)


def test_keep_last_value() -> None:
    try:
        raise ValueError(made())
    except ValueError as error:
        sys.last_value = error
        sys.last_traceback = error.__traceback__


def test_keep_skipped() -> None:
    pytest.skip(f"with {made()}")


@pytest.mark.xfail(raises=ValueError)
def test_keep_expected_failure() -> None:
    items = made()
    raise ValueError(items)


def test_keep_generator() -> None:
    def numbers() -> Iterator[object]:
        items = made()
        yield items
        yield from items

    generator = numbers()
    next(generator)
    next(generator)
    KEPT.append(generator)


def test_keep_coroutine() -> None:
    async def inner() -> object:
        items = made()
        await asyncio.sleep(0)
        return items

    async def outer() -> object:
        return await inner()

    coroutine = outer()
    coroutine.send(None)
    KEPT.append(coroutine)


def test_keep_asynchronous_generator() -> None:
    async def numbers() -> AsyncIterator[object]:
        items = made()
        yield items

    async def all_numbers() -> list[object]:
        return [number async for number in numbers()]

    KEPT.append(asyncio.run(all_numbers()))


def test_keep_event_loop() -> None:
    loop = asyncio.new_event_loop()
    loop.call_soon(made)
    KEPT.extend((loop, loop.create_future()))


def test_keep_frame() -> None:
    def local() -> types.FrameType:
        items = made()  # noqa: F841
        return sys._getframe()

    KEPT.append(local())


def test_keep_running_thread() -> None:
    started, may_end = threading.Event(), threading.Event()

    def work(given: list[object]) -> None:
        items = [*given, *made()]
        started.set()
        may_end.wait()
        assert items

    thread = threading.Thread(target=work, args=(made(),), daemon=True)
    thread.start()
    started.wait()
    KEPT.append(may_end)


def test_keep_many_threads() -> None:
    may_end = threading.Event()

    def work() -> None:
        items = {number: made() for number in range(10)}
        NAMES[threading.current_thread().name] = may_end
        may_end.wait()
        assert items

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()


def test_keep_ended_thread() -> None:
    thread = threading.Thread(target=lambda: KEPT.append(made()))
    thread.start()
    thread.join()


def test_keep_thread_local() -> None:
    LOCAL.items = made()


def test_keep_thread_local_of_thread() -> None:
    started, may_end = threading.Event(), threading.Event()

    def work() -> None:
        LOCAL.items = made()
        started.set()
        may_end.wait()

    threading.Thread(target=work, daemon=True).start()
    started.wait()
    KEPT.append(may_end)


def test_keep_context_variable() -> None:
    VARIABLE.set(made())


def test_keep_context() -> None:
    context = contextvars.copy_context()
    context.run(VARIABLE.set, made())
    KEPT.append(context)


def test_keep_registered_class() -> None:
    class Local(Slotted):
        things = made()

    NAMES["class"] = Local


def test_keep_class_of_instance() -> None:
    class Local:
        items = made()

    KEPT.append(Local())


def test_keep_class_by_its_subclass() -> None:
    class Base:
        items = made()

    class Local(Base):
        pass

    KEPT.append(Local)


def test_keep_class_by_weak_reference() -> None:
    class Local:
        pass

    KEPT.extend((weakref.ref(Local), Local()))


def test_keep_abstract_class() -> None:
    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self) -> float: ...

    class Square:
        pass

    Shape.register(Square)
    assert isinstance(Square(), Shape)
    assert not isinstance(1, Shape)
    KEPT.append(Shape)


def test_keep_enum() -> None:
    NAMES["enum"] = enum.Enum("Colour", "red green")


def test_keep_named_tuple() -> None:
    KEPT.append(collections.namedtuple("Point", ["x", "y"])(made(), 1))  # type: ignore[call-arg]


def test_keep_interned_string() -> None:
    KEPT.append(sys.intern(f"interned {id(KEPT)}"))


def test_keep_attributes() -> None:
    node = Node()
    for number in range(100):
        setattr(node, f"attribute_{number}", made())
    KEPT.append(node)


def test_keep_slots() -> None:
    slotted = Slotted()
    slotted.value = made()
    KEPT.append(slotted)


def test_keep_constants() -> None:
    code = compile("(1, (2, 'three'), frozenset([4]))", "constants.py", "eval")
    KEPT.extend((code, eval(code)))


def test_keep_immortal() -> None:
    KEPT.extend((None, True, (), "", b"", 1, -5, 256, "a"))


def test_keep_collections() -> None:
    KEPT.append(collections.deque(made() for _ in range(1000)))
    KEPT.append(collections.OrderedDict((number, made()) for number in range(100)))
    KEPT.append({frozenset([number]): made() for number in range(100)})


def test_keep_views() -> None:
    names = {number: made() for number in range(10)}
    KEPT.extend((names.keys(), iter(names.values()), types.MappingProxyType(names)))


def test_keep_partial() -> None:
    KEPT.append(functools.partial(print, *made()))


def test_keep_ctypes_callback() -> None:
    items = made()
    KEPT.append(ctypes.CFUNCTYPE(ctypes.c_int)(lambda: len(items)))


def test_keep_ctypes_object() -> None:
    class Box(ctypes.Structure):
        _fields_ = (("thing", ctypes.py_object),)

    KEPT.extend((ctypes.py_object(made()), Box(made()), ctypes.pointer(ctypes.c_int(1))))


def test_keep_ctypes_array() -> None:
    KEPT.append((ctypes.py_object * 2)(ctypes.py_object(made()), ctypes.py_object(made())))


def test_keep_cffi_handle() -> None:
    ffi = FFI()
    handle = ffi.new_handle(made())
    held = ffi.new("void *[1]", [handle])
    assert ffi.from_handle(held[0])
    KEPT.append((handle, held))


def test_keep_cffi_memory() -> None:
    ffi = FFI()
    KEPT.append(ffi.gc(ffi.new("char[]", 100), lambda _: KEPT.append(made())))


def test_keep_capsule() -> None:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.py_object, ctypes.c_char_p, ctypes.c_void_p],
    )
    name = ctypes.create_string_buffer(b"kept")
    KEPT.append((name, new(name, ctypes.cast(name, ctypes.c_char_p), None)))


def test_keep_numpy_array() -> None:
    numpy = pytest.importorskip("numpy")
    KEPT.append([numpy.arange(number) for number in range(1, 200)])
    KEPT.append(numpy.zeros((10, 10))[2:5, ::2])


def test_keep_numpy_objects() -> None:
    numpy = pytest.importorskip("numpy")
    KEPT.append(numpy.array([Node(), made()[0], "three"], dtype=object))


def test_keep_numpy_free_lists() -> None:
    numpy = pytest.importorskip("numpy")
    for number in range(1, 300):
        numpy.empty(number, dtype="u1")
        numpy.zeros([1] * (number % 20))


def test_keep_numpy_types() -> None:
    numpy = pytest.importorskip("numpy")
    KEPT.append(numpy.dtype([("x", "i4"), ("y", "O", (2,))]))
    KEPT.append(numpy.vectorize(len))


def test_keep_trace_function() -> None:
    items = made()

    def trace(*_arguments: object) -> None:
        items.append(1)

    before = sys.gettrace()
    sys.settrace(trace)
    sys.settrace(before)


@pytest.fixture(scope="module")
def of_module() -> Iterator[list[object]]:
    yield made()


@pytest.fixture
def of_function(of_module: list[object]) -> Iterator[list[object]]:
    yield [*of_module, *made()]


def test_keep_fixtures(of_function: list[object]) -> None:
    assert of_function


@pytest.mark.parametrize("items", [made(), made()])
def test_keep_parameters(items: list[object]) -> None:
    assert items


def test_keep_monkeypatch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "items", made(), raising=False)


def test_keep_captured(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    print(made())
    KEPT.extend((capsys.readouterr(), caplog))


def test_keep_freezing() -> None:
    KEPT.append(made())
    gc.freeze()
    KEPT.append(made())
    gc.unfreeze()
