"""What the native heap engine says to be in use, in processes of its own."""

from __future__ import annotations

from heap_process import needs_engine, run

pytestmark = needs_engine


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
