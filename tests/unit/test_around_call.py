"""The check around a call: its options, its exceptions, and the rules by which it decides."""

from __future__ import annotations

import os
import socket
import threading
import unittest
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import pytest_valgrind
from pytest_valgrind import (
    Checkers,
    Error,
    LeakTest,
    MemoryLeakError,
    MemoryLeakTestCase,
    UnclosedFdError,
    UnclosedPythonThreadError,
    UncollectableGarbageError,
)
from pytest_valgrind.around_call.call_options import CallOptions
from pytest_valgrind.around_call.cyclic_garbage import CyclicGarbage, is_transient
from pytest_valgrind.around_call.growth import Growth, Verdict

#: By what happens: bytes that each round of 50, 75, 112, 168 and 252 calls adds to the heap, and
#: the verdict of psleak's rule.
TRACES = {
    "nothing": ([0], Verdict.CLEAN),
    "less than before": ([-100], Verdict.CLEAN),
    "the same for each call": ([2400, 3600, 5400], Verdict.LEAKS),
    "more for each call": ([1024, 2048], Verdict.LEAKS),
    "the same in each round": ([1024, 1024, 1024], Verdict.FADED),
    "half as much in each round": ([2048, 1024, 1024], Verdict.FADED),
    "a fifth less for each call": ([5000, 6000, 7168], Verdict.FADED),
    "at the floor of noise": ([800, 1200], Verdict.FADED),
    "above the floor": ([850, 1275, 1904], Verdict.LEAKS),
    "a spike, then a plateau": ([4400, 3600, 5400, 8100], Verdict.LEAKS),
    "noise that comes and goes": ([176, 1840, 176, 1840], Verdict.FADED),
    "fades never twice running": ([400, 3000, 3360, 6720, 7560], Verdict.LEAKS),
    "a clean round after another": ([1024, 0], Verdict.CLEAN),
    "one round only": ([400], Verdict.LEAKS),
}


def decide(rounds: Sequence[Mapping[str, int]], **options: Any) -> Growth:
    """Return what is known when all rounds have been taken."""
    is_exact = options.pop("is_exact", False)
    growth = Growth(CallOptions(times=50, retries=len(rounds), **options), is_exact=is_exact)
    for added in rounds[:-1]:
        assert growth.take(added) is Verdict.OPEN
    vars(growth)["verdict"] = growth.take(rounds[-1])
    return growth


def verdict(growth: Growth) -> object:
    return vars(growth)["verdict"]


@pytest.mark.parametrize("name", TRACES)
def test_rule_of_psleak(name: str) -> None:
    """The growth for each call must not fade, twice running, by a fifth or below the floor."""
    heap, expected = TRACES[name]
    assert verdict(decide([{"heap": added, "rss": 0} for added in heap])) is expected


def test_all_metrics_must_fade() -> None:
    """One that grows is enough for a leak."""
    rounds = [{"heap": 1024, "rss": 0}, {"heap": 1024, "rss": 4096}]
    assert verdict(decide(rounds)) is Verdict.LEAKS


@pytest.mark.parametrize(
    ("tolerance", "expected"),
    [(8192, Verdict.CLEAN), ({"uss": 8192}, Verdict.FADED), ({"heap": 400}, Verdict.LEAKS)],
)
def test_tolerance(tolerance: Any, expected: Verdict) -> None:
    """It is for all metrics, or for those that are named."""
    rounds = [{"heap": 400, "uss": 8192}] * (1 if expected is Verdict.CLEAN else 2)
    assert verdict(decide(rounds, tolerance=tolerance)) is expected


def test_message() -> None:
    """It has a line for each round, as psleak has it."""
    growth = decide([{"heap": 2400, "mmap": 0}, {"heap": 3600, "mmap": 75}])
    assert growth.message.splitlines() == [
        "memory kept increasing after 2 runs",
        f"Run # 1: {'heap=+2400':<50} (calls=  50, avg/call=+48)",
        f"Run # 2: {'heap=+3600  | mmap=+75':<50} (calls=  75, avg/call=+48)",
    ]


@pytest.mark.parametrize(
    ("heap", "expected"),
    [
        ([0], Verdict.CLEAN),
        ([5000, 0], Verdict.CLEAN),  # a cache that is full
        ([1, 1, 1, 1, 1], Verdict.LEAKS),  # however little it is
        ([5000, 100, 10, 1, 0], Verdict.CLEAN),
    ],
)
def test_rule_for_exact_counters(heap: list[int], expected: Verdict) -> None:
    """A round without growth acquits, and five with growth do not."""
    assert verdict(decide([{"heap": added} for added in heap], is_exact=True)) is expected


def test_exact_counters_need_five_rounds_at_most() -> None:
    """The calls become more by half in each round, as psleak's do."""
    growth = Growth(CallOptions(), is_exact=True)
    times = []
    while growth.take({"heap": 16}) is Verdict.OPEN:
        times.append(growth.times)
    assert times == [300, 450, 675, 1012]


BAD_OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"warmup_times": "10"}, TypeError, "'warmup_times' must be instance of int (got '10')"),
    ({"times": "100"}, TypeError, "'times' must be instance of int"),
    ({"tolerance": "bad"}, TypeError, "'tolerance' must be instance of int or dict"),
    ({"trim_callback": 123}, TypeError, "'trim_callback' must be instance of Callable (got 123)"),
    ({"warmup_times": -1}, ValueError, "warmup_times must be >= 0 (got -1)"),
    ({"times": 1}, ValueError, "times must be >= 2 (got 1)"),
    ({"retries": 0}, ValueError, "retries must be >= 1 (got 0)"),
    ({"tolerance": -1}, ValueError, "tolerance must be >= 0 (got -1)"),
    ({"tolerance": {"invalid": 1}}, ValueError, "invalid tolerance key 'invalid'"),
    ({"tolerance": {"rss": -1}}, ValueError, "'rss' tolerance must be >= 0 (got -1)"),
]


@pytest.mark.parametrize(("options", "error", "words"), BAD_OPTIONS, ids=str)
def test_bad_options(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        MemoryLeakTestCase().execute(int, **options)
    assert str(raised.value).startswith(words)


def test_checkers() -> None:
    assert Checkers() == Checkers.exclude()
    assert Checkers.only("fds", "memory") == Checkers.exclude(
        *("handles", "c_threads", "py_threads", "gcgarbage")
    )
    with pytest.raises(ValueError, match=r"^invalid checker names: files$"):
        Checkers.only("files")


class Case(MemoryLeakTestCase):
    """Looks at resources only, as memory cannot be measured in every process."""

    checkers = Checkers.exclude("memory")


def test_file_left_open() -> None:
    """The exception says how many, and what is open where."""
    opened = []

    def leaves() -> None:
        opened.append(open(os.devnull))  # noqa: PTH123, SIM115

    with pytest.raises(UnclosedFdError) as raised:
        Case().execute(leaves)
    first, second = str(raised.value).splitlines()
    assert first == (
        f"detected 1 unclosed file descriptor after calling {leaves.__qualname__!r} 1 time:"
    )
    assert second.startswith(f"* file descriptor {opened[0].fileno()}: /dev/null, opened in ")
    assert second.endswith(f"(test_around_call.py:{leaves.__code__.co_firstlineno + 1})")
    (extra,) = raised.value.extras or ()
    assert getattr(extra, "path", None) == "/dev/null"
    assert (raised.value.count, isinstance(raised.value, Error)) == (1, True)
    opened[0].close()


def test_two_sockets_left_open() -> None:
    pairs = []
    with pytest.raises(UnclosedFdError, match="detected 2 unclosed file descriptors"):
        Case().execute(lambda: pairs.append(socket.socketpair()))
    for one in pairs[0]:
        one.close()


def test_thread_left_running() -> None:
    over = threading.Event()
    threads = []

    def leaves(name: str) -> None:
        threads.append(threading.Thread(target=over.wait, name=name))
        threads[0].start()

    with pytest.raises(UnclosedPythonThreadError, match="worker"):
        Case().execute(leaves, "worker")
    over.set()
    threads[0].join()


class Node:
    """An object in a cycle, with no dict of its own, which CPython 3.10 would list as well."""

    __slots__ = ("me",)

    def __init__(self) -> None:
        self.me = self


def test_cycle() -> None:
    with pytest.raises(UncollectableGarbageError, match="detected 1 uncollectable GC object after"):
        Case().execute(Node)
    Case().execute(Node, checkers=Checkers.only("fds"))


def test_exceptions_are_no_garbage() -> None:
    """A traceback leads to a frame, and that to the exception."""

    def keeps() -> BaseException:
        try:
            raise ValueError
        except ValueError as error:
            kept = error
        return kept

    Case().execute(keeps)
    assert is_transient([1, (ValueError(), {"x": threading.current_thread()})])
    assert not is_transient([Node()])


def test_garbage_is_not_kept() -> None:
    with CyclicGarbage() as garbage:
        Node()
    assert [type(found) for found in garbage.found] == [Node]


def test_function_that_raises() -> None:
    Case().execute_w_exc(ZeroDivisionError, divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        Case().execute_w_exc(OSError, divmod, 1, 0)
    with pytest.raises(AssertionError, match=r"did not raise <class 'ZeroDivisionError'>"):
        Case().execute_w_exc(ZeroDivisionError, divmod, 1, 1)


def test_call_can_be_replaced() -> None:
    calls = []

    class Recorder(Case):
        def call(self, fun: Any) -> object:
            calls.append(fun)
            return super().call(fun)

    Recorder().execute(int, 5)
    assert len(calls) == 1


def test_generated_tests() -> None:
    """Options of one are not those of another."""
    calls = []

    class Generated(Case):
        @classmethod
        def auto_generate(cls) -> dict[str, LeakTest]:
            return {"one": LeakTest(divmod, 7, 2, times=10), "two": LeakTest(int)}

        def execute(self, fun: Any, *args: Any, **options: Any) -> None:  # noqa: ARG002
            calls.append((fun(), options))

    case: Any = Generated("test_leak_one")
    case.test_leak_one()
    case.test_leak_two()
    assert calls == [((3, 1), {"times": 10}), (0, {})]
    assert Generated.__dict__["test_leak_one"].__doc__ == "Auto-generated leak test for one"


@pytest.mark.parametrize(
    ("generated", "error", "words"),
    [
        ([], TypeError, "Bad.auto_generate must return a dict"),
        ({"x": int}, TypeError, r"Bad.auto_generate\(\)\['x'\] must be a LeakTest"),
        ({"there": LeakTest(int)}, RuntimeError, "Bad already defines test_leak_there"),
    ],
)
def test_bad_generated_tests(generated: Any, error: type[Exception], words: str) -> None:
    members = {
        "auto_generate": classmethod(lambda cls: generated),  # noqa: ARG005
        "test_leak_there": lambda self: None,  # noqa: ARG005
    }
    with pytest.raises(error, match=f"^{words}$"):
        type("Bad", (Case,), members)


def test_memory_needs_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own allocator hides small leaks from the system, but not from the engine."""
    monkeypatch.setenv("PYTHONMALLOC", "pymalloc")
    with pytest.raises(unittest.SkipTest, match=r"^PYTHONMALLOC=malloc was not set$"):
        MemoryLeakTestCase().execute(int)


class Replayed(MemoryLeakTestCase):
    """Takes bytes of rounds from a list, as subclasses of psleak's do."""

    checkers = Checkers.only("memory")
    times = 50

    def __init__(self, *heap: int) -> None:
        super().__init__("execute")
        self.rounds = list(heap)
        self.said: list[str] = []

    def _call_ntimes(self, fun: Any, times: int) -> dict[str, int]:  # noqa: ARG002
        return {"heap": self.rounds.pop(0)}

    def _log(self, msg: str, level: int) -> None:  # noqa: ARG002
        self.said.append(msg)


def test_what_is_said_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    monkeypatch.setattr("pytest_valgrind.around_call.call_check._warned", [True])
    case = Replayed(1024, 1024, 1024)
    case.execute(int)
    assert case.said[0].startswith("Run # 1: heap=+1024 ")
    assert case.said[-1] == "Memory stabilized (growth per call faded)"
    with pytest.raises(MemoryLeakError, match=r"^memory kept increasing after 2 runs\nRun # 1"):
        Replayed(1024, 2048).execute(int, retries=2)


def test_names_of_the_package() -> None:
    """They are imported when somebody asks for them."""
    for name in pytest_valgrind.__all__:
        assert getattr(pytest_valgrind, name).__name__ == name
    assert Error.__module__ == UnclosedFdError.__module__ == "pytest_valgrind"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = pytest_valgrind.Nothing
