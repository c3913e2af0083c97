"""A lost reference to an object of every kind, each in a test of its own."""

from __future__ import annotations

import abc
import array
import ast
import asyncio
import collections
import contextlib
import contextvars
import ctypes
import dataclasses
import datetime
import decimal
import enum
import functools
import io
import itertools
import queue
import random
import re
import struct
import sys
import threading
import types
import weakref
import zlib
from collections.abc import AsyncIterator, Iterator

from defective import leak_reference as lose

#: They live on, and their frames with them.
generators: list[Iterator[int]] = []
deque: collections.deque[object] = collections.deque()


class Node:
    pass


class Slotted:
    __slots__ = ("value",)

    value: object


class OfList(list[int]):
    pass


def fresh() -> object:
    """Return what no compiler makes a constant of."""
    return object()


def test_before() -> None:
    """Lose nothing."""


def test_list() -> None:
    lose([1, 2, fresh()])


def test_empty_list() -> None:
    lose([])


def test_dict() -> None:
    lose({"one": [1], "two": 2})


def test_empty_dict() -> None:
    lose({})


def test_tuple() -> None:
    lose((1, [2], fresh()))


def test_set() -> None:
    lose({1, "two", fresh()})


def test_frozenset() -> None:
    lose(frozenset([1, "two", fresh()]))


def test_between() -> None:
    """Lose nothing."""


def test_instance() -> None:
    lose(Node())


def test_instance_with_attributes() -> None:
    node = Node()
    node.items = [fresh()]  # type: ignore[attr-defined]
    lose(node)


def test_instance_with_slots() -> None:
    slotted = Slotted()
    slotted.value = [fresh()]
    lose(slotted)


def test_instance_of_builtin() -> None:
    lose(OfList([1, 2]))


def test_weakly_referenced() -> None:
    node = Node()
    node.known = weakref.ref(node)  # type: ignore[attr-defined]
    lose(node)


def test_class() -> None:
    class Local:
        pass

    lose(Local)


def test_class_with_registry() -> None:
    class Base:
        def __init_subclass__(cls) -> None:
            cls.name = cls.__name__  # type: ignore[attr-defined]

    class Local(Base):
        pass

    lose(Local)


def test_abstract_class() -> None:
    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self) -> float: ...

    class Square(Shape):
        def area(self) -> float:
            return 1.0

    isinstance(1, Shape)
    lose(Square)


def test_enum() -> None:
    lose(enum.Enum("Colour", "red green"))


def test_dataclass() -> None:
    lose(dataclasses.make_dataclass("Point", ["x"])(1))


def test_named_tuple() -> None:
    lose(collections.namedtuple("Point", ["x", "y"])(1, fresh()))  # type: ignore[call-arg, arg-type]


def test_function() -> None:
    def local(items: object = fresh()) -> object:
        return items

    lose(local)


def test_called_function() -> None:
    def local(items: object = 1) -> object:
        return items

    for _ in range(100):
        local()
    lose(local)


def test_lambda() -> None:
    lose(lambda: 1)


def test_closure() -> None:
    items = [fresh()]

    def local() -> object:
        return items

    lose(local)


def test_cell() -> None:
    items = [fresh()]

    def local() -> object:
        return items

    lose((local.__closure__ or [None])[0])


def test_code() -> None:
    lose(compile("one + 1", "somewhere.py", "eval"))


def test_method() -> None:
    lose(Node().__init__)  # type: ignore[misc]


def test_bound_method() -> None:
    class Local:
        def method(self) -> None: ...

    lose(Local().method)


def test_builtin_method() -> None:
    lose([fresh()].append)


def test_partial() -> None:
    lose(functools.partial(int, "1"))


def test_cached_function() -> None:
    @functools.lru_cache
    def local(number: int) -> list[int]:
        return [number]

    local(1)
    lose(local)


def test_property() -> None:
    lose(property(lambda self: self))


def test_static_method() -> None:
    lose(staticmethod(lambda: 1))


def test_class_method() -> None:
    lose(classmethod(lambda cls: cls))


def test_super() -> None:
    lose(super(OfList, OfList()))


def test_generator() -> None:
    lose(number for number in range(3))


def test_started_generator() -> None:
    def numbers() -> Iterator[object]:
        yield fresh()
        yield 2

    started = numbers()
    next(started)
    lose(started)


def test_exhausted_generator() -> None:
    exhausted = (number for number in range(3))
    list(exhausted)
    lose(exhausted)


def test_variable_of_finished_generator() -> None:
    def numbers() -> Iterator[int]:
        item = ["finished", fresh()]
        lose(item)
        yield 1

    finished = numbers()
    list(finished)
    generators.append(finished)


def test_argument_in_waiting_generator() -> None:
    def numbers() -> Iterator[int]:
        lose(["waiting", fresh()])
        yield 1

    waiting = numbers()
    next(waiting)
    generators.append(waiting)


def test_popped_from_deque() -> None:
    item = ["popped", fresh()]
    deque.append(item)
    deque.append(None)
    lose(item)
    del item
    deque.popleft()


def test_coroutine() -> None:
    async def local() -> None: ...

    coroutine = local()
    lose(coroutine)
    coroutine.close()


def test_asynchronous_generator() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    lose(numbers())


def test_future() -> None:
    loop = asyncio.new_event_loop()
    lose(loop.create_future())
    loop.close()


def test_frame() -> None:
    def local() -> types.FrameType:
        items = [fresh()]  # noqa: F841
        return sys._getframe()

    lose(local())


def test_traceback() -> None:
    try:
        raise ValueError("traceback")
    except ValueError as error:
        lose(error.__traceback__)


def test_exception() -> None:
    try:
        raise ValueError("exception")
    except ValueError as error:
        lose(error)


def test_chained_exception() -> None:
    try:
        try:
            raise ValueError("first")
        except ValueError as error:
            raise KeyError("second") from error
    except KeyError as error:
        lose(error)


def test_exception_never_raised() -> None:
    lose(ValueError("never raised"))


def test_suppressed_exception() -> None:
    caught = []
    with contextlib.suppress(ZeroDivisionError):
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError as error:
            caught.append(error)
            raise
    lose(caught.pop())


def test_module() -> None:
    lose(types.ModuleType("local_module"))


def test_cycle() -> None:
    items: list[object] = []
    items.append(items)
    lose(items)


def test_longer_cycle() -> None:
    names: dict[str, object] = {}
    names["items"] = [names]
    lose(names)


def test_weak_reference() -> None:
    node = Node()
    lose(weakref.ref(node))


def test_weak_proxy() -> None:
    node = Node()
    lose(weakref.proxy(node, lambda _: None))


def test_iterator_of_list() -> None:
    lose(iter([1, 2, fresh()]))


def test_iterator_of_dict() -> None:
    lose(iter({1: fresh()}.items()))


def test_view_of_dict() -> None:
    lose({1: fresh()}.keys())


def test_proxy_of_dict() -> None:
    lose(types.MappingProxyType({1: fresh()}))


def test_map() -> None:
    lose(map(int, ["1"]))


def test_chain() -> None:
    lose(itertools.chain([1], [fresh()]))


def test_slice() -> None:
    lose(slice(fresh(), fresh()))


def test_range() -> None:
    lose(range(10**20, 10**21))


def test_deque() -> None:
    lose(collections.deque([1, fresh()]))


def test_default_dict() -> None:
    lose(collections.defaultdict(list, {1: [2]}))


def test_ordered_dict() -> None:
    lose(collections.OrderedDict({1: fresh()}))


def test_counter() -> None:
    lose(collections.Counter("letters"))


def test_context() -> None:
    lose(contextvars.copy_context())


def test_context_variable() -> None:
    lose(contextvars.ContextVar("local"))


def test_namespace() -> None:
    lose(types.SimpleNamespace(one=fresh()))


def test_generic_alias() -> None:
    lose(list[Node])


def test_syntax_tree() -> None:
    lose(ast.parse("one + 1"))


def test_structure() -> None:
    class Point(ctypes.Structure):
        _fields_ = (("x", ctypes.c_int),)

    lose(Point(1))


def test_simple_queue() -> None:
    lose(queue.SimpleQueue())


def test_thread_local() -> None:
    lose(threading.local())


def test_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    lose(thread)


def test_text_file() -> None:
    lose(io.StringIO("text"))


def test_binary_file() -> None:
    lose(io.BytesIO(b"bytes"))


def test_random() -> None:
    lose(random.Random(1))


def test_pattern() -> None:
    pattern = re.compile("lost+ [p]attern")
    lose(pattern)
    re.purge()


def test_object() -> None:
    lose(fresh())


def test_str() -> None:
    lose(f"a string that nobody else has {id(fresh())}")


def test_bytes() -> None:
    lose(f"bytes {id(fresh())}".encode())


def test_bytearray() -> None:
    lose(bytearray(100))


def test_int() -> None:
    lose(10**30 + id(fresh()))


def test_float() -> None:
    lose(float(id(fresh())))


def test_complex() -> None:
    lose(complex(id(fresh()), 1))


def test_memory_view() -> None:
    lose(memoryview(bytearray(100)))


def test_array() -> None:
    lose(array.array("d", [1.0, 2.0]))


def test_decimal() -> None:
    lose(decimal.Decimal("1.5"))


def test_date() -> None:
    lose(datetime.datetime(2026, 1, 1))


def test_struct() -> None:
    lose(struct.Struct("<lost".replace("lost", "hhl")))


def test_compressor() -> None:
    lose(zlib.compressobj())


def test_lock() -> None:
    lose(threading.Lock())


def test_in_a_loop() -> None:
    for number in range(10):
        lose({"number": number})


def test_deep_in_calls() -> None:
    def deeper(depth: int) -> None:
        items = [depth]
        if depth:
            deeper(depth - 1)
        else:
            lose(items)

    deeper(12)


def test_deep_down() -> None:
    """Lose what frames have named that were far above the top of the stack in the end."""

    def deeper(depth: int) -> None:
        one = two = three = items  # noqa: F841
        if depth:
            deeper(depth - 1)
        else:
            lose(items)

    items = [fresh()]
    deeper(300)


def test_by_a_local_variable() -> None:
    one = two = three = [fresh()]  # noqa: F841
    lose(two)


def test_argument_of_a_failure() -> None:
    items = [fresh()]
    lose(items)
    with contextlib.suppress(TypeError):
        int(items)  # type: ignore[call-overload]


def test_handed_to_thread() -> None:
    items = [fresh()]
    thread = threading.Thread(target=lose, args=(items,))
    thread.start()
    thread.join()


def test_after() -> None:
    """Lose nothing."""
