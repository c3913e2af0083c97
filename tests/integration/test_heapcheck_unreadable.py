"""Memory that the kernel lists as readable, and that is not."""

from __future__ import annotations

from pathlib import Path

from heapcheck_runs import lost_bytes, native_suite, run_natively

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
