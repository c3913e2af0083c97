"""What limits measure, whoever asks for the memory."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from heapcheck_runs import native_suite

#: Bytes. With less, what pytest and numpy do themselves may take as much, at another time.
SMALL = 65536
THREAD = "thread---"  # which has a stack of frames of its own
NUMPY = "numpy----"  # which is imported in the call
#: By who asks for a number of bytes. Names are equally long, as pytest keeps them.
MAKERS = {
    "extension": "defective.leak(size)",
    "bytearray": "bytearray(size)",
    "bytes-one": "bytes(size)",
    "big-int--": "1 << (size // 4 * 30 - 1)",
    THREAD: "in_thread(size)",
    "a-list---": "[None] * (size // 8)",
    "mmap-----": "mmap.mmap(-1, size).close()",
    NUMPY: "importlib.import_module('numpy').ones(size, 'u1')",
}
SUITE = """
import importlib
import mmap
import threading

import defective
import pytest

def in_thread(size):
    thread = threading.Thread(target=bytearray, args=(size,), name="t")
    thread.start()
    thread.join()

# The first fills caches, and the difference of the others is that of what they ask for.
@pytest.mark.parametrize("size", [65536, 65536, 4_096_000], ids=["x", "s", "l"])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_of(maker, size):
    maker(size)
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> dict[str, int]:
    """Return what the tests used, by their names."""
    directory = tmp_path_factory.mktemp("measure")
    has_numpy = importlib.util.find_spec("numpy") is not None
    makers = ",".join(
        f"'{name}': lambda size: {maker}"
        for name, maker in MAKERS.items()
        if has_numpy or name != NUMPY
    )
    text = SUITE.replace("import pytest\n", f"import pytest\n\nMAKERS = {{{makers}}}\n", 1)
    suite = native_suite(directory, extension, {"test_use.py": text})
    suite.run("-p", "cacheprovider", "--limit-memory=1GB")
    file = directory / ".pytest_cache" / "d" / "limit_memory" / "used.jsonl"
    found = dict(map(json.loads, file.read_text().splitlines()))
    return {nodeid.partition("::")[2]: used for nodeid, used in found.items()}


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in (THREAD, NUMPY)])
def test_measure_is_exact(used: dict[str, int], name: str) -> None:
    """Tests that differ by the bytes that they ask for differ by just as many."""
    assert used[f"test_of[{name}-l]"] - used[f"test_of[{name}-s]"] == 4_096_000 - SMALL


@pytest.mark.parametrize("name", [THREAD, NUMPY])
def test_measure_with_what_others_do(used: dict[str, int], name: str) -> None:
    """It is as exact, but for what threads do at the same time, and what numpy's import leaves."""
    if f"test_of[{name}-s]" not in used:
        pytest.skip("numpy is not installed")
    difference = used[f"test_of[{name}-l]"] - used[f"test_of[{name}-s]"]
    assert abs(difference - (4_096_000 - SMALL)) < 1024


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in (THREAD, NUMPY)])
def test_call_of_pytest_is_little(used: dict[str, int], name: str) -> None:
    """It is there in each test, and less than 4 KB."""
    assert SMALL <= used[f"test_of[{name}-s]"] < SMALL + 4096
