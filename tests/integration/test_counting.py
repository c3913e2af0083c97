"""What is counted under memcheck (csrc/counting_*.c), by a program that uses every function."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_valgrind import preload

ROOT = Path(__file__).parents[2]
#: By what the program has done: bytes in use after it and at most, and blocks.
COUNTED = {
    "malloc": (77, 77, 1),
    "calloc": (147, 147, 2),
    "realloc": (270, 270, 2),
    "realloc-large": (1_000_000_070, 1_000_000_070, 2),
    "free": (70, 1_000_000_070, 1),
    "free-both": (0, 70, 0),
    "new": (123, 123, 1),
    "delete": (0, 123, 0),
    "new-aligned": (128, 128, 1),
    "delete-aligned": (0, 128, 0),
    "nothrow": (0, 1, 0),
    "posix_memalign": (99, 99, 1),
    "free-aligned": (0, 99, 0),
    "too-much": (0, 0, 0),
    "mmap": (12_288, 12_288, 0),
    "mremap": (53_248, 53_248, 0),
    "munmap-part": (49_152, 53_248, 0),
    "munmap": (0, 49_152, 0),
}
# Valgrind has none of its own there, and without these no frame says where.
_OPTIONS = ("--soname-synonyms=somalloc=nouserintercepts", "--leak-check=full", "-q")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Return the program's end."""
    compiler, valgrind = shutil.which("c++"), shutil.which("valgrind")
    library = preload.counting()
    if not (compiler and valgrind and library):
        pytest.skip("needs a compiler of C++, and valgrind")
    program = tmp_path_factory.mktemp("counted") / "counted"
    source = ROOT / "tests" / "extensions" / "counted.cpp"
    words = [compiler, "-std=c++17", "-g", f"-I{ROOT / 'csrc'}", str(source), "-o", str(program)]
    subprocess.run([*words, "-ldl"], check=True)
    return subprocess.run(
        [valgrind, *_OPTIONS, str(program)],
        env={**os.environ, preload.NAME: str(library)},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("name", COUNTED)
def test_number_is_exact(done: subprocess.CompletedProcess[str], name: str) -> None:
    """To the byte, as it was asked for."""
    lines = (line.split() for line in done.stdout.splitlines())
    found = {what: tuple(map(int, numbers)) for what, *numbers in lines}
    assert found[name] == COUNTED[name]


@pytest.mark.parametrize("function", ["malloc", r"operator new\[\]\(unsigned long\)"])
def test_stack_has_no_frame_more(done: subprocess.CompletedProcess[str], function: str) -> None:
    """So suppressions that were written without it still fit."""
    pattern = rf"at 0x\w+: {function} \(.*vgpreload_memcheck.*\)\n==\d+== +by 0x\w+: main "
    assert re.search(pattern, done.stderr)


def test_no_errors(done: subprocess.CompletedProcess[str]) -> None:
    """What is freed is freed by its own function; but for the size that was too much."""
    errors = re.findall(r"==\d+== (Invalid|Mismatched|Conditional)", done.stderr)
    assert errors == []
