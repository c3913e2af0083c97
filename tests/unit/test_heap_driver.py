"""The native engine's C, part by part: tests/extensions/heap_driver.c says what each one is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_valgrind import preload
from pytest_valgrind.heap.engine import VARIABLE

HEAP = preload.heap()
COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(HEAP is None or COMPILER is None, reason="Linux, and a C compiler")

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "extensions" / "heap_driver.c"
GUARDS = ("guards=off", "guards=cheap", "guards=full")
# As setup.py has them: a compiler makes a call of calloc out of the calloc of the engine.
OWN_ALLOCATOR = [
    f"-fno-builtin-{name}" for name in ("malloc", "calloc", "realloc", "free", "aligned_alloc")
]


def build(directory: Path, *options: str) -> Path:
    """Compile the driver."""
    program = directory / "heap_driver"
    sources = [str(SOURCE), *options]
    libraries = ["-ldl", "-lpthread"]
    subprocess.run(
        ["cc", "-g", "-w", f"-I{ROOT / 'csrc'}", *sources, "-o", str(program), *libraries],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the driver, into which the engine is to be preloaded."""
    return build(tmp_path_factory.mktemp("driver"), "-O2")


def run(program: Path, part: str, number: int, guards: str, **variables: str) -> None:
    """Have a driver do a part."""
    environment = {**os.environ, VARIABLE: guards, **variables}
    done = subprocess.run(
        [program, part, str(number)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("guards", GUARDS)
@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("operations", 100_000),
        ("threads", 200),
        ("crossings", 50),
        ("forks", 5),
        ("checks", 3),
        ("memory", 300),
        ("accounts", 20_000),
    ],
)
def test_part(driver: Path, part: str, number: int, guards: str) -> None:
    run(driver, part, number, guards, LD_PRELOAD=str(HEAP))


@pytest.mark.slow
@pytest.mark.parametrize("guards", GUARDS)
def test_a_million_random_operations(driver: Path, guards: str) -> None:
    run(driver, "operations", 1_000_000, guards, LD_PRELOAD=str(HEAP))


@pytest.mark.slow
def test_sanitizer_finds_no_undefined_behaviour(tmp_path: Path) -> None:
    # AddressSanitizer cannot be: it allocates before its own memory is there.
    engine = [str(path) for path in sorted((ROOT / "csrc").glob("heap_*.c"))]
    # So that dlsym finds the engine in the program.
    options = ["-O1", "-rdynamic", *OWN_ALLOCATOR, *engine]
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
    program = build(tmp_path, *options, *checks)
    for part, number in [("operations", 100_000), ("threads", 200), ("crossings", 50)]:
        run(program, part, number, "guards=cheap")
    for part, number in [("forks", 3), ("checks", 3)]:
        run(program, part, number, "guards=cheap")
