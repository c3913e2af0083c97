"""Tests with limits, for compare_pytest_memray.py: what its documentation and users describe."""

from __future__ import annotations

SUITE = """\
import asyncio, mmap, threading, unittest

import defective
import pytest

MB = 1 << 20
kept = []

def hold(size):
    kept.append(bytearray(size))

def not_held(stack):
    return all(frame.function != "hold" for frame in stack.frames)

def not_of_c(stack):
    return all(frame.function != "leak" for frame in stack.frames)

def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

@pytest.fixture
def large():
    return bytearray(8 * MB)

@pytest.mark.limit_memory("24 MB")
def test_below():
    bytearray(2 * MB)

@pytest.mark.limit_memory("4 MB")
def test_above():
    bytearray(5 * MB)

@pytest.mark.limit_memory("4 MB")
def test_one_after_the_other():
    for _ in range(5):
        bytearray(2 * MB)

@pytest.mark.limit_memory("4 MB")
def test_small_objects():
    assert [object() for _ in range(400_000)]

@pytest.mark.limit_memory("4 MB")
def test_extension():
    defective.leak(5 * MB)

@pytest.mark.limit_memory("4 MB")
def test_mapping():
    mmap.mmap(-1, 5 * MB).close()

@pytest.mark.limit_memory("4 MB")
def test_fixture(large):
    assert large

@pytest.mark.limit_memory("4 MB")
def test_thread():
    in_thread(lambda: bytearray(5 * MB))

@pytest.mark.limit_memory("4 MB", current_thread_only=True)
def test_other_thread():
    in_thread(lambda: bytearray(5 * MB))

@pytest.mark.limit_memory("4 MB")
class TestClass:
    def test_method(self):
        bytearray(5 * MB)

@pytest.mark.limit_memory("4 MB")
class TestCase(unittest.TestCase):
    def test_of_unittest(self):
        bytearray(5 * MB)

@pytest.mark.asyncio
@pytest.mark.limit_memory("4 MB")
async def test_coroutine():
    await asyncio.sleep(0)
    bytearray(5 * MB)

@pytest.mark.parametrize("size", [
    pytest.param(5, marks=pytest.mark.limit_memory("4 MB")),
])
def test_parameter(size):
    bytearray(size * MB)

@pytest.mark.xfail(reason="known")
@pytest.mark.limit_memory("4 MB")
def test_xfail():
    bytearray(5 * MB)

@pytest.mark.limit_memory("4 MB")
def test_fails_by_itself():
    bytearray(5 * MB)
    raise AssertionError("on purpose")

@pytest.mark.limit_leaks("1 MB")
def test_leak():
    hold(2 * MB)

@pytest.mark.limit_leaks("1 MB")
def test_leak_in_two_places():
    hold(600_000)
    kept.append(bytearray(600_000))

@pytest.mark.limit_leaks("1 MB")
def test_leak_of_c():
    defective.leak(2 * MB)

@pytest.mark.limit_leaks("1 MB")
def test_garbage():
    cycle = [bytearray(2 * MB)]
    cycle.append(cycle)

@pytest.mark.limit_leaks("1 MB", filter_fn=not_held)
def test_filtered_by_python():
    hold(2 * MB)

@pytest.mark.limit_leaks("1 MB", filter_fn=not_of_c)
def test_filtered_by_c():
    defective.leak(2 * MB)

@pytest.mark.limit_leaks("1 MB", current_thread_only=True)
def test_leak_of_thread():
    in_thread(lambda: hold(2 * MB))

@pytest.mark.limit_memory("4 MB")
@pytest.mark.limit_leaks("1 MB")
def test_both():
    hold(5 * MB)
"""
#: By the names of the suite's tests: what is in them, and whether it is to fail.
ROWS = {
    "test_below": ("uses less than its limit", False),
    "test_above": ("uses more, at a time", True),
    "test_one_after_the_other": ("uses more, one after the other", False),
    "test_small_objects": ("uses more, in small objects of Python", True),
    "test_extension": ("uses more, in an extension in C", True),
    "test_mapping": ("uses more, by mmap", True),
    "test_fixture": ("its fixture uses more", False),
    "test_thread": ("a thread of it uses more", True),
    "test_other_thread": ("the same, `current_thread_only`", False),
    "test_method": ("uses more, limited by its class", True),
    "test_of_unittest": ("uses more, in a unittest case", True),
    "test_coroutine": ("uses more, in a coroutine", True),
    "test_parameter[5]": ("uses more, limited by `pytest.param(..., marks=...)`", True),
    "test_xfail": ("uses more, and is marked `xfail`", True),
    "test_fails_by_itself": ("uses more, and fails by itself", True),
    "test_leak": ("leaves more than its limit allocated", True),
    "test_leak_in_two_places": ("the same, in two places", False),
    "test_leak_of_c": ("the same, in an extension in C", True),
    "test_garbage": ("leaves a cycle that is garbage", False),
    "test_filtered_by_python": ("leaves more, `filter_fn` knows the Python function", False),
    "test_filtered_by_c": ("leaves more, `filter_fn` knows the C function", False),
    "test_leak_of_thread": ("a thread leaves more, `current_thread_only`", False),
    "test_both": ("has both markers, and goes beyond both", True),
}
