"""What tests and what they start see of the engine: nothing."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

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


def test_counters_of_libc() -> None:
    """They go up and down with what is allocated."""

    class Mallinfo2(ctypes.Structure):
        _fields_ = tuple((f"n{index}", ctypes.c_size_t) for index in range(10))

    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo2
    before = libc.mallinfo2()
    block = bytearray(10_000_000)
    during = libc.mallinfo2()
    del block
    after = libc.mallinfo2()
    used = [info.n4 + info.n7 for info in (before, during, after)]
    assert used[1] - used[0] >= 10_000_000
    assert used[1] - used[2] >= 10_000_000


def test_trim() -> None:
    """It does what it does without the engine."""
    assert ctypes.CDLL(None).malloc_trim(0) in (0, 1)
