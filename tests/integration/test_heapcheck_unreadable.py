"""Leak checks that meet what cannot be read, and such that come to no end."""

from __future__ import annotations

from pathlib import Path

import pytest
from heapcheck_runs import lost_bytes, native_suite, run_natively, section

UNREADABLE = """
import ctypes, mmap, tempfile
import defective

GUARD_INSTALL = 102  # of Linux 6.13 (asm-generic/mman-common.h)
KEPT = []

def test_maps_what_cannot_be_read():
    with tempfile.TemporaryFile() as file:
        file.truncate(4 * mmap.PAGESIZE)
        beyond_its_end = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE)
        file.truncate(mmap.PAGESIZE)
    guarded = mmap.mmap(-1, 4 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(guarded)) + mmap.PAGESIZE
    # Older kernels do not know it.
    ctypes.CDLL(None).madvise(ctypes.c_void_p(address), mmap.PAGESIZE, GUARD_INSTALL)
    block = bytearray(b"kept")
    KEPT.extend([beyond_its_end, guarded, block])

def test_leaks():
    defective.leak(77)
"""


def test_pages_that_cannot_be_read(tmp_path: Path, extension: Path) -> None:
    """A check passes over them, as below the stacks of threads with glibc 2.42."""
    suite = native_suite(tmp_path, extension, {"test_unreadable.py": UNREADABLE})
    run = run_natively(suite)
    assert run["test_maps_what_cannot_be_read"].outcome == "passed", run.output
    assert lost_bytes(run["test_leaks"].message) == [77]


FAILING = """
from pytest_valgrind.heap.engine import Engine

start_check, calls = Engine.start_check, []

def fail(*arguments, **more):
    calls.append(1)
    if len(calls) in {which}:
        raise OSError
    return start_check(*arguments, **more)

def pytest_collection_finish():
    Engine.start_check = fail
"""
LEAK = "import defective\n\ndef test_leaks():\n    defective.leak(77)\n"


def test_checks_that_cannot_be_made(tmp_path: Path, extension: Path) -> None:
    """The run fails, as nobody knows what its tests have lost."""
    files = {"conftest.py": FAILING.format(which="range(100)"), "test_leak.py": LEAK}
    run = run_natively(native_suite(tmp_path, extension, files))
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "The last leak check came to no end" in run.output
    assert section(run)[0] == "leaks cannot be seen here, 1 test checked, but not for leaks"


def test_check_that_is_made_once_more(tmp_path: Path, extension: Path) -> None:
    """Nobody sees a difference."""
    files = {"conftest.py": FAILING.format(which="[1]"), "test_leak.py": LEAK}
    run = run_natively(native_suite(tmp_path, extension, files))
    assert lost_bytes(run["test_leaks"].message) == [77]
    assert "came to no end" not in run.output


def test_check_that_the_next_one_makes_up_for(tmp_path: Path, extension: Path) -> None:
    """It sees what was lost by then."""
    leaks = f"{LEAK}\n\ndef test_after():\n    pass\n"
    files = {"conftest.py": FAILING.format(which="[1, 2]"), "test_leak.py": leaks}
    run = run_natively(native_suite(tmp_path, extension, files), "--memory-leak-check=exact")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "hint: a leak check came to no end" in run.output
    assert "definitely lost 77 bytes in 1 block" in run.output
    assert "cannot be seen" not in run.output
