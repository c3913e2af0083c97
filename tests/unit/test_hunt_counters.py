"""What is counted between repetitions: to the byte, and nothing else."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import sys
import threading

import pytest

from pytest_valgrind import client
from pytest_valgrind.hunt import counters
from pytest_valgrind.hunt.counters import Counters, new_reading
from pytest_valgrind.leaks.garbage import Garbage

kept: list[object] = []
add_reference = ctypes.pythonapi.Py_IncRef
drop_reference = ctypes.pythonapi.Py_DecRef
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.free.argtypes = [ctypes.c_void_p]


class Growth:
    """By how much counters grow from one reading to the next, read at the same depth of calls."""

    def __init__(self) -> None:
        self._counters = Counters(freezes=False)
        self._before, self._after = new_reading(), new_reading()

    def of(self, counter: int) -> int:
        """Return it, since the last call."""
        self._before, self._after = self._after, self._before
        Garbage(freeze=False).collect()
        self._counters.read(self._after)
        return self._after[counter] - self._before[counter]


@pytest.fixture
def growth() -> Growth:
    """Return what has read the counters once; what is made once is made by then."""
    made = Growth()
    for counter in range(len(counters.NAMES)):
        made.of(counter)
    return made


@pytest.mark.parametrize("counter", range(len(counters.NAMES)), ids=counters.NAMES)
def test_nothing_grows_by_reading(growth: Growth, counter: int) -> None:
    growth.of(counter)
    grown = growth.of(counter)  # apart, as pytest keeps the parts of what is asserted
    assert grown == 0


@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="they are immortal on 3.12 alone")
def test_interned_strings_do_not_count(growth: Growth) -> None:
    """It is the interpreter that keeps them for ever."""
    growth.of(counters.BLOCKS)
    for number in range(100):
        sys.intern(f"nobody else has interned this: {number}")
    grown = growth.of(counters.BLOCKS)
    assert grown == 0


@pytest.mark.parametrize("size", [1, 24, 25, 100, 1000, 1040, 5000])
def test_heap_bytes(growth: Growth, size: int) -> None:
    """Those of a block, and what malloc adds: 8 bytes, to a multiple of 16."""
    growth.of(0)
    blocks = [c.malloc(size) for _ in range(50)]
    grown = growth.of(counters.HEAP)
    for block in blocks:
        c.free(block)
    chunk = max(32, -(-(size + 8) // 16) * 16)
    # A list of 50 is of CPython's own allocator; malloc may give 16 bytes more.
    assert 50 * chunk <= grown <= 50 * (chunk + 16)
    assert growth.of(counters.HEAP) == -grown


def test_reference_to_an_object(growth: Growth) -> None:
    growth.of(0)
    add_reference(ctypes.py_object(kept))
    grown = growth.of(counters.REFERENCES)
    drop_reference(ctypes.py_object(kept))
    assert grown == 1


def test_items_of_a_list(growth: Growth) -> None:
    """No reference to the item is counted, and the list has grown all the same."""
    item = bytearray()
    growth.of(0)
    kept.extend([item] * 10)
    grown = growth.of(counters.REFERENCES)
    kept.clear()
    assert grown == 10


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal")
def test_references_to_none(growth: Growth) -> None:
    """The collector does not know it."""
    growth.of(0)
    add_reference(ctypes.py_object(None))
    grown = growth.of(counters.REFERENCES)
    drop_reference(ctypes.py_object(None))
    assert grown == 1


def test_references_are_those_beside_the_list() -> None:
    things: list[object] = [[1, 2], {3: 4}, {5}]
    assert client.sum_references(things) == 4


def test_references_of_a_list_only() -> None:
    with pytest.raises(TypeError):
        client.sum_references(())  # type: ignore[arg-type]


def frozen_references() -> int:
    """Return the number of references to all objects; what is frozen for it is so no more."""
    gc.collect()
    try:
        return client.sum_frozen_references(gc.freeze)
    finally:
        gc.unfreeze()


def test_references_without_a_list_of_objects() -> None:
    """They can be counted in this interpreter, and nothing is added by that."""
    frozen_references()
    before = frozen_references()
    after = frozen_references()
    assert before > 0
    # The number itself is an object, but none that the collector knows.
    assert after == before


def test_reference_among_all() -> None:
    frozen_references()
    before = frozen_references()
    add_reference(ctypes.py_object(kept))
    kept.extend([None] * 10)
    after = frozen_references()
    drop_reference(ctypes.py_object(kept))
    kept.clear()
    assert after - before == 11


def test_new_object_among_all() -> None:
    """There is a reference to a list from another, which is an item as well."""
    frozen_references()
    before = frozen_references()
    kept.append([])
    after = frozen_references()
    kept.clear()
    assert after - before == 2


def test_items_among_all() -> None:
    """Each is one, whether or not references to it are counted."""
    gc.collect()
    try:
        start = client.sum_frozen_items(gc.freeze)
        kept.extend([None] * 10)
        assert client.sum_frozen_items(gc.freeze) - start == 10
        add_reference(ctypes.py_object(kept))
        assert client.sum_frozen_items(gc.freeze) - start == 10
        drop_reference(ctypes.py_object(kept))
    finally:
        gc.unfreeze()
        kept.clear()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="None has a count of its own")
@pytest.mark.parametrize("counts_items", [True, False])
def test_items_on_a_debug_build(monkeypatch: pytest.MonkeyPatch, *, counts_items: bool) -> None:
    """Its own number says nothing of None; pytest-leaks has no other."""
    monkeypatch.setattr(sys, "gettotalrefcount", lambda: 1000, raising=False)
    known = counters.Counters(freezes=True, counts_items=counts_items)
    before, after = counters.new_reading(), counters.new_reading()
    try:
        known.read(before)
        kept.extend([None] * 10)
        known.read(after)
    finally:
        gc.unfreeze()
        kept.clear()
    assert after[counters.REFERENCES] - before[counters.REFERENCES] == 10 * counts_items


def test_references_to_what_is_left_out() -> None:
    """They are not counted, and those to others are, for as long as all is frozen."""
    others: list[object] = []
    try:
        client.leave_out([kept], gc.freeze)
        start = client.sum_frozen_references(gc.freeze)
        kept.extend([None] * 10)
        of_left_out = client.sum_frozen_references(gc.freeze) - start
        others.extend([None] * 5)
        of_others = client.sum_frozen_references(gc.freeze) - start
    finally:
        gc.unfreeze()
        kept.clear()
    assert (of_left_out, of_others) == (0, 5)


def test_nothing_is_left_out_once_everything_was_collected() -> None:
    """The collector has put what it has looked at into another order."""
    client.leave_out([kept], gc.freeze)
    gc.unfreeze()
    frozen_references()
    before = frozen_references()
    kept.extend([None] * 10)
    after = frozen_references()
    kept.clear()
    assert after - before == 10


def test_leaving_out_needs_a_list() -> None:
    with pytest.raises(TypeError):
        client.leave_out((), gc.freeze)  # type: ignore[arg-type]


def test_all_references_need_a_function() -> None:
    with pytest.raises(TypeError):
        client.sum_frozen_references(None)  # type: ignore[arg-type]


def test_mapped_bytes(growth: Growth) -> None:
    growth.of(0)
    mapped = mmap.mmap(-1, 1 << 20)
    grown = growth.of(counters.MAPPED)
    mapped.close()
    assert grown == 1 << 20


def test_descriptor(growth: Growth) -> None:
    growth.of(0)
    descriptor = os.open(os.devnull, os.O_RDONLY)
    grown = growth.of(counters.DESCRIPTORS)
    os.close(descriptor)
    assert grown == 1


def test_thread(growth: Growth) -> None:
    growth.of(0)
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    grown = growth.of(counters.THREADS)
    release.set()
    thread.join()
    assert grown == 1
    assert growth.of(counters.THREADS) == -1
