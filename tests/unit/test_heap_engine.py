"""The native heap engine, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from heap_process import HEAP, needs_engine, run

from pytest_valgrind.heap.engine import VARIABLE

pytestmark = needs_engine


def test_lost_block_is_of_its_test() -> None:
    source = """
engine.begin_test(7)
malloc(1000)
engine.end_test()
print(json.dumps(lost()))
"""
    assert run(source) == [[7, 1000, False]]


def test_large_lost_block() -> None:
    source = """
engine.begin_test(7)
malloc(1 << 24)
engine.end_test()
print(json.dumps(lost()))
"""
    assert run(source) == [[7, 1 << 24, False]]


def test_kept_block_is_not_lost() -> None:
    source = """
engine.begin_test(7)
kept = ctypes.c_void_p(malloc(1000))
engine.end_test()
print(json.dumps(lost()))
"""
    assert run(source) == []


@pytest.mark.parametrize(("place", "count"), [("types.CodeType.__basicsize__", 1), ("16", 0)])
def test_instructions_point_to_nothing(place: str, count: int) -> None:
    """Behind the beginning of code, whose second word is its type."""
    source = f"""
import types
code = ctypes.c_void_p(malloc(2000))
ctypes.memset(code, 0, 2000)
words = (ctypes.c_size_t * 250).from_address(code.value)
words[1] = id(types.CodeType)
engine.begin_test(7)
words[{place} // 8] = malloc(50)
engine.end_test()
print(json.dumps([size for _, size, _ in lost() if size == 50]))
"""
    assert run(source) == [50] * count


def test_lost_list_keeps_its_items() -> None:
    # The collection empties the free lists, whose blocks are of no test.
    source = """
gc.collect()
engine.begin_test(7)
thing = [object()]
incref(thing)
del thing
engine.end_test()
print(json.dumps(sorted(is_kept for _, _, is_kept in lost())))
"""
    assert run(source) == [False, True, True]


def test_block_outside_of_a_circle_keeps_all_of_it() -> None:
    """As an instance keeps its class, whichever block of the circle it points at."""
    source = """
engine.begin_test(7)
first, second, last = sorted(malloc(1000) for _ in range(3))
for block, target in ((first, second), (second, first), (last, second)):
    ctypes.c_size_t.from_address(block).value = target
del first, second, last, block, target
engine.end_test()
print(json.dumps(sorted(is_kept for _, size, is_kept in lost() if size == 1000)))
"""
    assert run(source) == [False, True, True]


def test_class_is_lost_though_a_frozen_one_knows_it() -> None:
    """By its address, which is the hash of a key."""
    source = """
class Base: pass
class Other(Base): pass
gc.freeze()
engine.begin_test(7)
incref(type("Lost", (Base,), {}))
engine.end_test()
gc.collect()
os.waitpid(engine.start_check(0, untracks=True, since=7), WCLONE)
print(json.dumps(max((block.size for block in engine.lost(0)), default=0)))
"""
    assert run(source) >= type.__basicsize__


def test_what_is_acknowledged_is_not_listed_again() -> None:
    source = """
engine.begin_test(7)
malloc(1000)
engine.end_test()
first = lost()
engine.acknowledge(0)
engine.begin_test(8)
malloc(2000)
engine.end_test()
print(json.dumps([first, lost()]))
"""
    assert run(source) == [[[7, 1000, False]], [[8, 2000, False]]]


def test_thread_inherits_the_number() -> None:
    source = """
import threading
engine.begin_test(7)
thread = threading.Thread(target=malloc, args=[1000])
engine.begin_test(8)
thread.start()
engine.end_test()
thread.join()
print(json.dumps([block for block in lost() if block[1] == 1000]))
"""
    assert run(source) == [[8, 1000, False]]


def test_counters_are_exact() -> None:
    source = """
buffer = ctypes.create_string_buffer(8)
before = engine.counters()
block = malloc(1 << 20)
after = engine.counters()
ctypes.CDLL(None).free(ctypes.c_void_p(block))
print(json.dumps(after.bytes - before.bytes >= 1 << 20))
"""
    assert run(source) is True


def test_process_without_the_variable_has_no_engine() -> None:
    environment = {**os.environ, "LD_PRELOAD": str(HEAP)}
    environment.pop(VARIABLE, None)
    source = (
        "from pytest_valgrind.heap.engine import Engine\n"
        "try:\n    Engine()\nexcept RuntimeError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=True
    )
    assert "LD_PRELOAD" in done.stdout


GUARDS = """
libc = ctypes.CDLL(None)
libc.free.argtypes = [ctypes.c_void_p]
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.realloc.restype = ctypes.c_void_p

def seen():
    return [
        [e.kind.name, e.maker, e.seen_in, e.size, e.offset, e.length, e.written.hex()]
        for e in engine.take_events()
    ]

engine.begin_test(7)
block = malloc(24)
engine.begin_test(8)
"""


@pytest.mark.parametrize("guards", ["guards=on", "guards=full"])
@pytest.mark.parametrize(
    ("source", "event"),
    [
        (
            "ctypes.memset(block + 24, 1, 2); libc.free(block)",
            ["OVERFLOW", 7, 8, 24, 24, 2, "0101"],
        ),
        (
            "ctypes.memset(block + 26, 1, 1); libc.realloc(block, 4096)",
            ["OVERFLOW", 7, 8, 24, 26, 1, "01"],
        ),
        (
            "ctypes.memset(block + 24, 1, 1); engine.look_at_guards(7)",
            ["OVERFLOW", 7, 8, 24, 24, 1, "01"],
        ),
        (
            "ctypes.memset(block - 2, 0, 1); libc.free(block)",
            ["OVERFLOW", None, 8, 0, -32, 32, None],
        ),
        (
            "libc.free(block); ctypes.memset(block + 3, 0x41, 5); engine.look_at_guards(8)",
            ["WRITE_AFTER_FREE", 7, 8, 24, 3, 5, "4141414141"],
        ),
        (
            "libc.free(block); libc.free(block)",
            ["DOUBLE_FREE", 7, 8, 24, 0, 0, ""],
        ),
        (
            "libc.free(block); libc.realloc(block, 100)",
            ["DOUBLE_FREE", 7, 8, 24, 0, 0, ""],
        ),
        (
            "libc.free(block + 8)",
            ["NATIVE_INVALID_FREE", 7, 8, 24, 8, 0, ""],
        ),
        (
            "libc.free(block + 16)",
            ["NATIVE_INVALID_FREE", 7, 8, 24, 16, 0, ""],
        ),
        (
            "libc.free(ctypes.addressof(ctypes.c_char.in_dll(libc, 'environ')) & ~15)",
            ["NATIVE_INVALID_FREE", None, 8, 0, 0, 0, ""],
        ),
    ],
)
def test_guard_sees(source: str, event: list[object], guards: str) -> None:
    seen = run(f"{GUARDS}\n{source}\nprint(json.dumps(seen()))", **{VARIABLE: guards})
    assert len(seen) == 1
    written = event[-1]
    assert seen[0][:-1] == event[:-1]
    # What stands before a block is an address, among other things.
    assert written is None or seen[0][-1] == written


def test_check_sees_an_overflow_in_its_clone() -> None:
    source = """
ctypes.memset(block + 24, 1, 1)
engine.end_test()
lost()
print(json.dumps([[e.kind.name, e.maker] for e in engine.take_events(0)]))
"""
    assert run(GUARDS + source) == [["OVERFLOW", 7]]


def test_freed_block_is_overwritten() -> None:
    source = """
libc.free(block)
print(json.dumps(ctypes.string_at(block, 24).hex()))
"""
    assert run(GUARDS + source, **{VARIABLE: "guards=off"})[32:] == "00" * 8
    assert run(GUARDS + source) == "dd" * 24


def test_running_thread_is_of_the_test_that_started_it() -> None:
    source = """
import threading
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for _ in range(3)]
engine.begin_test(7)
for thread in threads:
    thread.start()
engine.end_test()
before = [engine.threads_of(7), engine.threads_of(8)]
stop.set()
for thread in threads:
    thread.join()
import time
while engine.threads_of(7):
    time.sleep(0.001)
print(json.dumps(before))
"""
    assert run(source) == [3, 0]


def test_mapping_is_of_its_test_until_it_is_unmapped() -> None:
    source = """
import mmap
engine.begin_test(7)
first = mmap.mmap(-1, 3 * mmap.PAGESIZE)
second = mmap.mmap(-1, 5000)
engine.end_test()
before = sorted(each.length for each in engine.mappings_of(7))
second.close()
print(json.dumps([before, [each.length for each in engine.mappings_of(7)]]))
"""
    assert run(source) == [[8192, 12288], [12288]]


def test_part_of_a_mapping_remains() -> None:
    source = """
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 5]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
engine.begin_test(7)
start = libc.mmap(None, 5 * 4096, 3, 0x22, 2**64 - 1, 0)
engine.end_test()
libc.munmap(start + 4096, 4096)
found = sorted((each.address - start, each.length) for each in engine.mappings_of(7))
print(json.dumps(found))
"""
    assert run(source) == [[0, 4096], [8192, 12288]]


def test_clone_keeps_the_lock_of_the_interpreter() -> None:
    """Threads that ask for it are not in the clone, and would never give it back."""
    source = """
import threading, time
def contend():
    while True:
        time.sleep(0.0005)
for _ in range(4):
    threading.Thread(target=contend, daemon=True).start()
def work():
    sum(number for number in range(3000))
done = []
for _ in range(10):
    end = time.perf_counter() + 0.002
    while time.perf_counter() < end:
        pass
    os.waitpid(engine.start_check(0, untracks=True, prepare=work, explain=work), WCLONE)
    done.append(engine.is_done(0))
print(json.dumps([done, sys.getswitchinterval()]))
"""
    assert run(source) == [[True] * 10, 0.005]
