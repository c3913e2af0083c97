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
#: Of another C library.
MUSL = shutil.which("musl-gcc")
GUARDS = ("guards=off", "guards=cheap", "guards=full")
# As setup.py has them: a compiler makes a call of calloc out of the calloc of the engine.
OWN_ALLOCATOR = [
    f"-fno-builtin-{name}" for name in ("malloc", "calloc", "realloc", "free", "aligned_alloc")
]


#: The engine.
SOURCES = [str(path) for path in sorted((ROOT / "csrc").glob("heap_*.c"))]


def compiled(compiler: str, output: Path, *options: str) -> Path:
    """Compile something."""
    command = [compiler, "-g", f"-I{ROOT / 'csrc'}", *options, "-o", str(output)]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return output


def build(directory: Path, *options: str) -> Path:
    """Compile the driver."""
    return compiled("cc", directory / "heap_driver", "-w", str(SOURCE), *options)


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


all_parts = pytest.mark.parametrize(
    ("part", "number"),
    [
        ("operations", 100_000),
        ("threads", 200),
        ("crossings", 50),
        ("forks", 5),
        ("checks", 3),
        ("memory", 300),
        ("accounts", 20_000),
        ("readable", 3),
    ],
)


@pytest.mark.parametrize("guards", GUARDS)
@all_parts
def test_part(driver: Path, part: str, number: int, guards: str) -> None:
    run(driver, part, number, guards, LD_PRELOAD=str(HEAP))


@pytest.fixture(scope="module")
def with_musl(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the driver and the engine for another C library."""
    assert MUSL is not None
    directory = tmp_path_factory.mktemp("musl")
    options = ["-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", *OWN_ALLOCATOR]
    engine = compiled(MUSL, directory / "heap.so", *options, *SOURCES)
    return compiled(MUSL, directory / "heap_driver", "-O2", "-w", str(SOURCE)), engine


@pytest.mark.skipif(MUSL is None, reason="needs musl")
@all_parts
def test_part_with_musl(with_musl: tuple[Path, Path], part: str, number: int) -> None:
    driver, engine = with_musl
    run(driver, part, number, "guards=cheap", LD_PRELOAD=str(engine))


@pytest.mark.slow
@pytest.mark.parametrize("guards", GUARDS)
def test_a_million_random_operations(driver: Path, guards: str) -> None:
    run(driver, "operations", 1_000_000, guards, LD_PRELOAD=str(HEAP))


@pytest.mark.slow
def test_sanitizer_finds_no_undefined_behaviour(driver: Path, tmp_path: Path) -> None:
    # AddressSanitizer cannot be: it allocates before its own memory is there.
    options = ["-O1", "-fPIC", "-shared", "-fvisibility=hidden", *OWN_ALLOCATOR]
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
    engine = compiled("cc", tmp_path / "heap.so", *options, *checks, *SOURCES)
    for part, number in [("operations", 100_000), ("threads", 200), ("crossings", 50)]:
        run(driver, part, number, "guards=cheap", LD_PRELOAD=str(engine))
    for part, number in [("forks", 3), ("checks", 3)]:
        run(driver, part, number, "guards=cheap", LD_PRELOAD=str(engine))
