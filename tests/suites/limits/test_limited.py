"""Tests with limits to their memory: what holds is told by tests/integration/test_limits.py."""

from __future__ import annotations

import asyncio
import mmap
import os
import threading
import unittest
from collections.abc import Callable

import defective
import pytest

from pytest_valgrind.limits.stacks import Stack

MB = 1 << 20
kept: list[object] = []


def hold(size: int) -> None:
    kept.append(bytearray(size))


def not_held(stack: Stack) -> bool:
    return all(frame.function != "hold" for frame in stack.frames)


def not_of_c(stack: Stack) -> bool:
    assert stack.frames[-1].filename.endswith("test_limited.py")
    return stack.frames[0].function != "leak"


@pytest.fixture
def large() -> bytearray:
    return bytearray(8 * MB)


@pytest.mark.limit_memory("4 MB")
def test_below() -> None:
    bytearray(2 * MB)


@pytest.mark.limit_memory("4 MB")
def test_above() -> None:
    held = bytearray(3 * MB)
    assert held
    more = [bytes(500_000) for _ in range(4)]
    assert more


@pytest.mark.limit_memory("1000000 B")
def test_exactly_the_limit() -> None:
    defective.leak(1_000_000)


@pytest.mark.limit_memory("4 MB")
def test_one_after_the_other() -> None:
    for _ in range(5):
        bytearray(2 * MB)


@pytest.mark.limit_memory("4 MB")
def test_fixture_is_not_counted(large: bytearray) -> None:
    assert large


@pytest.mark.limit_memory("4 MB")
def test_big_int() -> None:
    assert 1 << (8 * 5 * MB)


@pytest.mark.limit_memory("4 MB")
def test_mapping() -> None:
    mmap.mmap(-1, 5 * MB).close()


@pytest.mark.limit_memory("4 MB")
def test_thread() -> None:
    thread = threading.Thread(target=bytearray, args=(5 * MB,))
    thread.start()
    thread.join()


@pytest.mark.limit_memory("4 MB", current_thread_only=True)
def test_other_thread_is_not_counted() -> None:
    thread = threading.Thread(target=bytearray, args=(5 * MB,))
    thread.start()
    thread.join()


@pytest.mark.limit_memory("4 MB", current_thread_only=True)
def test_own_thread() -> None:
    bytearray(5 * MB)


@pytest.mark.limit_memory("4 MB")
def test_fails_by_itself() -> None:
    bytearray(5 * MB)
    raise AssertionError("on purpose")


@pytest.mark.xfail(reason="known")
@pytest.mark.limit_memory("4 MB")
def test_xfail() -> None:
    bytearray(5 * MB)


@pytest.mark.limit_memory("4 MB")
def test_skipped() -> None:
    pytest.skip()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(5, marks=pytest.mark.limit_memory("4 MB")),
        pytest.param(6, marks=pytest.mark.limit_memory("8 MB")),
        7,
    ],
)
def test_parameter(size: int) -> None:
    bytearray(size * MB)


@pytest.mark.limit_memory("4 MB")
class TestClass:
    def test_method(self) -> None:
        bytearray(5 * MB)

    @pytest.mark.limit_memory("8 MB")
    def test_closest_counts(self) -> None:
        bytearray(5 * MB)


@pytest.mark.limit_memory("4 MB")
class TestCase(unittest.TestCase):
    def test_of_unittest(self) -> None:
        bytearray(5 * MB)


@pytest.mark.asyncio
@pytest.mark.limit_memory("4 MB")
async def test_coroutine() -> None:
    await asyncio.sleep(0)
    bytearray(5 * MB)


@pytest.mark.limit_leaks("1 MB")
def test_leak() -> None:
    hold(2 * MB)


@pytest.mark.limit_leaks("1 MB")
def test_leak_in_two_halves() -> None:
    for size in (600_000, 600_001):
        hold(size)


@pytest.mark.limit_leaks("1 MB")
def test_leak_in_two_places() -> None:
    hold(600_000)
    kept.append(bytearray(600_000))


@pytest.mark.limit_leaks("1 MB")
def test_leak_of_c() -> None:
    defective.leak(2 * MB)


@pytest.mark.limit_leaks("1 MB")
def test_garbage() -> None:
    cycle: list[object] = [bytearray(2 * MB)]
    cycle.append(cycle)


@pytest.mark.limit_leaks("1 MB")
def test_freed() -> None:
    bytearray(2 * MB)


cache: dict[str, bytearray] = {}


@pytest.mark.limit_leaks("1 MB")
def test_filled_cache() -> None:
    if "it" not in cache:
        cache["it"] = bytearray(2 * MB)


@pytest.mark.limit_leaks("1 MB", filter_fn=not_held)
def test_filtered_by_python() -> None:
    hold(2 * MB)


@pytest.mark.limit_leaks("1 MB", filter_fn=not_of_c)
def test_filtered_by_c() -> None:
    defective.leak(2 * MB)


def start_and_keep(target: Callable[[], None]) -> None:
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()


@pytest.mark.limit_leaks("1 MB")
def test_leak_of_thread() -> None:
    start_and_keep(lambda: hold(2 * MB))


@pytest.mark.limit_leaks("1 MB", current_thread_only=True)
def test_leak_of_other_thread() -> None:
    start_and_keep(lambda: hold(2 * MB))


@pytest.mark.limit_leaks("1 MB")
def test_leak_below_a_running_thread() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    kept.append((stop, thread))
    hold(2 * MB)
    stop.set()


@pytest.mark.limit_leaks("1 MB")
@pytest.mark.limit_memory("4 MB")
def test_both_limits() -> None:
    hold(5 * MB)


@pytest.mark.limit_memory("1 PB")
def test_engine_is_not_seen() -> None:
    assert "LD_PRELOAD" not in os.environ
    assert "PYTHONMALLOC" not in os.environ
    assert not [name for name in os.environ if "HEAPCHECK" in name or "LIMITS" in name]


def test_without_a_limit() -> None:
    bytearray(50 * MB)
