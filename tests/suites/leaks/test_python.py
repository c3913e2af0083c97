"""Leaks of Python code, one a test: what is kept by something that lives on.

The marker has words that a hunt must say, unless it names a line of the test.
"""

from __future__ import annotations

import array
import atexit
import collections
import contextvars
import functools
import gc
import io
import itertools
import logging
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

named = pytest.mark.named
numbers = itertools.count(1000)

kept_list: list[object] = []
kept_dict: dict[object, object] = {}
kept_set: set[object] = set()
kept_deque: collections.deque[object] = collections.deque()
kept_counter: collections.Counter[object] = collections.Counter()
kept_default: collections.defaultdict[str, list[object]] = collections.defaultdict(list)
kept_array = array.array("q")
kept_bytes = bytearray()
kept_text = io.StringIO()
kept_binary = io.BytesIO()
kept_weakly: weakref.WeakKeyDictionary[Token, Token] = weakref.WeakKeyDictionary()


class Token:
    """An object with attributes."""

    @staticmethod
    def look(*_: object) -> None:
        """Be called, and see nothing."""


class Node:
    """One of a chain."""

    __slots__ = ("before", "payload")

    def __init__(self, before: Node | None) -> None:
        self.before = before
        self.payload = bytearray(50)


class Service:
    """An object that lives as long as the process."""

    instances: ClassVar[list[object]] = []
    by_number: ClassVar[dict[int, object]] = {}
    subclasses: ClassVar[list[type]] = []

    def __init__(self) -> None:
        self.requests: list[object] = []
        self.observers: list[Callable[[], object]] = []
        self.last: Node | None = None

    def __init_subclass__(cls) -> None:
        Service.subclasses.append(cls)

    @functools.cache  # noqa: B019 (that is the leak)
    def square(self, number: int) -> list[int]:
        """Return what is kept for each number."""
        return [number * number]


service = Service()
token = Token()
variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable", default=None)
release = threading.Event()
local = threading.local()
local.items = []
history: Any = ()
chained: collections.ChainMap[str, int] = collections.ChainMap()
fast, slow = itertools.tee(itertools.count(1000))


def make_recorder() -> Callable[[object], None]:
    """Return a function that keeps what it is given."""
    seen: list[object] = []

    def record(thing: object) -> None:
        seen.append(thing)

    return record


recorder = make_recorder()
unbounded = functools.lru_cache(None)(lambda number: [number])


@functools.singledispatch
def describe(thing: object) -> str:
    """Describe a thing."""
    return str(thing)


def collect_in_default(item: object, found: list[object] = []) -> None:  # noqa: B006
    """Keep an item in the default of a parameter."""
    found.append(item)


def counted() -> None:
    """Have an attribute."""


counted.calls = []  # type: ignore[attr-defined]


@named("list test_python.kept_list grows by 1 a run")
def test_list() -> None:
    kept_list.append({})


@named("dict test_python.kept_dict grows by 1 a run")
def test_dict() -> None:
    kept_dict[next(numbers)] = "value"


@named("set test_python.kept_set grows by 1 a run")
def test_set() -> None:
    kept_set.add(str(next(numbers)))


@named("list Service.instances grows by 1 a run")
def test_class_attribute() -> None:
    Service.instances.append(Token())


@named("list Service.requests grows by 1 a run")
def test_attribute_of_instance() -> None:
    service.requests.append(b"request %d" % next(numbers))


@named("in the closure of test_python.make_recorder.<locals>.record grows by 1 a run")
def test_closure() -> None:
    recorder([])


@named("in functools._lru_cache_wrapper test_python.unbounded grows by 1 a run")
def test_unbounded_cache() -> None:
    unbounded(next(numbers))


@named("in functools._lru_cache_wrapper test_python.Service.square grows by 1 a run")
def test_cache_of_method() -> None:
    service.square(next(numbers))


@named("dict weakref.finalize._registry grows by 1 a run")
def test_finalizers_of_what_lives_on() -> None:
    weakref.finalize(token, print)


@named("list test_python.kept_list grows by 1 a run")
def test_weak_references_with_callbacks() -> None:
    kept_list.append(weakref.ref(token, lambda _: None))


@named("list logging.Logger.handlers grows by 1 a run")
def test_logging_handler() -> None:
    logging.getLogger("leaking").addHandler(logging.NullHandler())


@named("dict logging.Manager.loggerDict grows by 1 a run")
def test_logger_of_each_run() -> None:
    logging.getLogger(f"logger {next(numbers)}")


@named("")
def test_atexit() -> None:
    atexit.register(lambda: None)


@named("dict sys.modules grows by 1 a run")
def test_module() -> None:
    name = f"made_{next(numbers)}"
    sys.modules[name] = types.ModuleType(name)


@named("threads run: Thread-")
def test_thread() -> None:
    threading.Thread(target=release.wait, daemon=True).start()


@named("")
def test_chain_of_signal_handlers() -> None:
    before: Any = signal.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, lambda *args: print(before, args))


@named("generator: 1 more a run, held by list test_python.kept_list")
def test_suspended_generator() -> None:
    def values() -> Iterator[int]:
        yield from range(10)

    generator = values()
    next(generator)
    kept_list.append(generator)


@named("list test_python.kept_list grows by 1 a run")
def test_exception_with_its_frames() -> None:
    try:
        int("no number")
    except ValueError as error:
        kept_list.append(error)


@named("")
def test_context_variable_of_each_run() -> None:
    made: contextvars.ContextVar[object] = contextvars.ContextVar(f"variable {next(numbers)}")
    made.set([])


@named("list Service.subclasses grows by 1 a run")
def test_registry_of_subclasses() -> None:
    type(f"Service{next(numbers)}", (Service,), {})


@named("list test_python.kept_list grows by 1 a run")
def test_bytes() -> None:
    kept_list.append(bytes(100 + next(numbers) % 7))


@named("set test_python.kept_set grows by 1 a run")
def test_strings() -> None:
    kept_set.add(f"a text {next(numbers)}")


@named("list test_python.kept_list grows by 1 a run")
def test_integers() -> None:
    kept_list.append(10**20 + next(numbers))


@named("list test_python.kept_list grows by 1 a run")
def test_none() -> None:
    kept_list.append(None)


@named("collections.deque test_python.kept_deque grows by 1 a run")
def test_deque() -> None:
    kept_deque.append(str(next(numbers)))


@named("of test_python.collect_in_default grows by 1 a run")
def test_default_of_a_parameter() -> None:
    collect_in_default(next(numbers))


@named("in collections.defaultdict test_python.kept_default grows by 1 a run")
def test_list_in_a_dict() -> None:
    kept_default["key"].append(str(next(numbers)))


@named("collections.Counter test_python.kept_counter grows by 1 a run")
def test_counter() -> None:
    kept_counter[str(next(numbers))] += 1


@named("")
def test_chained_maps() -> None:
    global chained  # noqa: PLW0603
    chained = chained.new_child({"key": next(numbers)})


@named("Node: 1 more a run, such as test_python.Node test_python.Service.last")
def test_linked_list() -> None:
    service.last = Node(service.last)


@named("array.array test_python.kept_array grows by 1 a run")
def test_array() -> None:
    kept_array.append(next(numbers))


@named("bytearray test_python.kept_bytes grows by 100 a run")
def test_bytearray() -> None:
    kept_bytes.extend(bytes(100))


@named("_io.StringIO test_python.kept_text grows by 51 a run")
def test_text_buffer() -> None:
    kept_text.write("some text of fifty letters and a bit more than that")


@named("_io.BytesIO test_python.kept_binary grows by 64 a run")
def test_binary_buffer() -> None:
    kept_binary.write(bytes(64))


@named("dict weakref.WeakKeyDictionary.data grows by 1 a run")
def test_weak_key_that_its_value_keeps() -> None:
    key, value = Token(), Token()
    value.key = key  # type: ignore[attr-defined]
    kept_weakly[key] = value


@named("dict of the variables of test_python grows by 1 a run")
def test_attribute_of_module() -> None:
    setattr(sys.modules[__name__], f"made_{next(numbers)}", [])


@named("list test_python.counted.calls grows by 1 a run")
def test_attribute_of_function() -> None:
    counted.calls.append(next(numbers))  # type: ignore[attr-defined]


@named("in mappingproxy test_python.describe.registry grows by 1 a run")
def test_registered_type() -> None:
    describe.register(type(f"Kind{next(numbers)}", (), {}), str)


@named("in test_python.Token test_python.token grows by 1 a run")
def test_attributes_of_instance() -> None:
    setattr(token, f"made_{next(numbers)}", [])


@named("")
def test_chain_of_tuples() -> None:
    global history  # noqa: PLW0603
    history = (history, next(numbers))


@named("list gc.callbacks grows by 1 a run")
def test_callback_of_the_collector() -> None:
    gc.callbacks.append(Token.look)


@named("list test_python.kept_list grows by 1 a run")
def test_resurrected() -> None:
    class Phoenix:
        def __del__(self) -> None:
            kept_list.append(self)

    phoenix = Phoenix()
    phoenix.me = phoenix  # type: ignore[attr-defined]


@named("in _thread._local test_python.local grows by 1 a run")
def test_local_of_thread() -> None:
    local.items.append(str(next(numbers)))


@named("")
def test_lagging_tee() -> None:
    next(fast)
