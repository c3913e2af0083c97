"""The native heap engine, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from pytest_valgrind import preload
from pytest_valgrind.heap.engine import VARIABLE

HEAP = preload.heap()
pytestmark = pytest.mark.skipif(HEAP is None, reason="Linux only")

PRELUDE = """
import ctypes, gc, json, os, sys
from pytest_valgrind.heap.engine import Engine

WCLONE = -0x80000000
engine = Engine()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
malloc.argtypes = [ctypes.c_size_t]
incref = ctypes.pythonapi.Py_IncRef
incref.argtypes = [ctypes.py_object]

def lost(untracks=True):
    gc.collect()
    os.waitpid(engine.start_check(0, untracks=untracks), WCLONE)
    assert engine.is_done(0)
    return [[block.place, block.size, block.keeper != 0] for block in engine.lost(0)]
"""


def run(source: str, **variables: str) -> Any:
    """Run Python code with the engine, and return what it has printed as JSON."""
    assert HEAP is not None
    environment = {
        **os.environ,
        VARIABLE: "",
        "LD_PRELOAD": str(HEAP),
        "PYTHONMALLOC": "malloc",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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


def test_what_is_acknowledged_is_not_listed_again() -> None:
    source = """
engine.begin_test(7)
malloc(1000)
engine.begin_test(8)
first = lost()
engine.acknowledge(0)
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


def test_usage_is_exact_to_the_byte() -> None:
    """What Python itself makes is the same each time, once it has warmed up."""
    source = """
def grown(size):
    engine.reset_peaks()
    before = engine.usage()
    malloc(size)
    after = engine.usage()
    return after.peak_bytes - before.bytes, after.thread_peak_bytes - before.thread_bytes

for _ in range(50):
    found = [grown(1_000_000 + n) for n in range(4)]
print(json.dumps([[one - found[0][0], other - found[0][1]] for one, other in found]))
"""
    assert run(source) == [[n, n] for n in range(4)]


def test_usage_is_of_blocks_and_mappings() -> None:
    """The latter count in whole pages, and the peak is of both."""
    source = """
import mmap
libc = ctypes.CDLL(None)
free = libc.free
free.argtypes = [ctypes.c_void_p]
engine.reset_peaks()
before = engine.usage()
block = malloc(1_000_001)
held = mmap.mmap(-1, 2_000_000)
free(block)
after = engine.usage()
held.close()
both = 1_000_001 + 2_002_944
print(json.dumps([
    0 <= after.peak_bytes - before.bytes - both < 10_000,
    0 <= after.bytes - before.bytes - 2_002_944 < 10_000,
    0 <= after.thread_peak_bytes - before.thread_bytes - 1_000_001 < 10_000,
]))
"""
    assert run(source) == [True] * 3


def test_live_blocks_of_tests() -> None:
    """All of them, although the list is memory itself."""
    source = """
engine.begin_test(300)
blocks = [malloc(1000 + n) for n in range(50)]
engine.begin_test(556)  # with the same last byte
other = malloc(3000)
engine.begin_test(300)
found = engine.live_of(300, 300)
both = engine.live_of(300, 556)
engine.end_test()
sizes = [block.size for block in found if block.size in range(1000, 1050)]
print(json.dumps([
    sorted(sizes) == [*range(1000, 1050)],
    {block.place for block in found} == {300},
    [block.size for block in both if block.place == 556 and block.size == 3000],
    engine.live_of(7, 7),
]))
"""
    assert run(source) == [True, True, [3000], []]
