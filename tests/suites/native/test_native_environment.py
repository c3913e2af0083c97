"""What tests and what they start see of the engine: nothing."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

_HIDDEN = ("LD_PRELOAD", "PYTHONMALLOC", "PYTEST_HEAPCHECK")


def test_own_variables() -> None:
    """Those for the engine are gone."""
    assert not [name for name in _HIDDEN if name in os.environ]


def test_variables_of_a_program() -> None:
    """A program that a test starts has none of them."""
    done = subprocess.run(["env"], capture_output=True, text=True, check=True)
    names = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert not names.intersection(_HIDDEN)


def test_variables_of_another_start() -> None:
    """C code that starts a program hands on none either."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    assert libc.getenv(b"PYTHONMALLOC") is None
    assert libc.getenv(b"LD_PRELOAD") is None


def test_library_of_a_python() -> None:
    """An interpreter that a test starts is not preloaded."""
    code = "print(open('/proc/self/maps').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "_heap" not in done.stdout


def test_usable_size() -> None:
    """A block has at least the size that was asked for, and can be written to its end."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.malloc_usable_size.restype = ctypes.c_size_t
    libc.malloc_usable_size.argtypes = libc.free.argtypes = [ctypes.c_void_p]
    for size in (0, 1, 24, 1000, 1 << 20):
        block = libc.malloc(size)
        usable = libc.malloc_usable_size(block)
        assert usable >= size
        ctypes.memset(block, 1, usable)
        block = libc.realloc(block, size + 1)
        libc.free(block)


class Mallinfo2(ctypes.Structure):
    """Of the C library: bytes in use are those of blocks and those of mappings."""

    _fields_ = tuple((f"n{index}", ctypes.c_size_t) for index in range(10))

    @property
    def used(self) -> int:
        return int(self.n4 + self.n7)


@pytest.mark.parametrize("size", [60, 600, 10_000_000])
def test_counters_of_libc(size: int) -> None:
    """They go up and down with what is allocated, in small blocks or in large ones."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo2
    number = 20_000_000 // size
    blocks: list[bytearray | None] = [None] * number
    before = libc.mallinfo2().used
    for index in range(number):
        blocks[index] = bytearray(size)
    during = libc.mallinfo2().used
    blocks.clear()
    after = libc.mallinfo2().used
    assert during - before >= number * size
    assert during - after >= number * size


def resident() -> int:
    """Return the pages of memory that the process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def test_trim() -> None:
    """What was freed goes back to the system, in small blocks as well."""
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)
    before = resident()
    blocks = [bytearray(100) for _ in range(200_000)]
    during = resident()
    del blocks
    assert libc.malloc_trim(0) == 1
    assert resident() - before < (during - before) / 4
    assert [bytearray(100) for _ in range(1000)] == [bytes(100)] * 1000
