"""Compares with pytest-memray: what each says of the same limits, and what that takes.

    python evaluation/compare_pytest_memray.py [--work DIR] [INTERPRETER]

The suite has what the documentation of pytest-memray describes, and what its users have asked for.
Prints Markdown tables; the exit code is 1 if ours has said another thing than it should.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from environments import (
    Environment,
    Run,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_suite_natively,
    say,
)
from references import build_extension

PYTEST_MEMRAY = "1.11.0"
SECONDS = 1800.0
#: Each keeps the other's plugin out.
THEIRS = ("-p", "no:valgrind")
OURS = ("-p", "no:memray", "--limit-markers")
SUITE = """\
import asyncio, mmap, threading, unittest

import defective
import pytest

MB = 1 << 20
kept = []

def hold(size):
    kept.append(bytearray(size))

def not_held(stack):
    return all(frame.function != "hold" for frame in stack.frames)

def not_of_c(stack):
    return all(frame.function != "leak" for frame in stack.frames)

def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

@pytest.fixture
def large():
    return bytearray(8 * MB)

@pytest.mark.limit_memory("24 MB")
def test_below():
    bytearray(2 * MB)

@pytest.mark.limit_memory("4 MB")
def test_above():
    bytearray(5 * MB)

@pytest.mark.limit_memory("4 MB")
def test_one_after_the_other():
    for _ in range(5):
        bytearray(2 * MB)

@pytest.mark.limit_memory("4 MB")
def test_small_objects():
    assert [object() for _ in range(400_000)]

@pytest.mark.limit_memory("4 MB")
def test_extension():
    defective.leak(5 * MB)

@pytest.mark.limit_memory("4 MB")
def test_mapping():
    mmap.mmap(-1, 5 * MB).close()

@pytest.mark.limit_memory("4 MB")
def test_fixture(large):
    assert large

@pytest.mark.limit_memory("4 MB")
def test_thread():
    in_thread(lambda: bytearray(5 * MB))

@pytest.mark.limit_memory("4 MB", current_thread_only=True)
def test_other_thread():
    in_thread(lambda: bytearray(5 * MB))

@pytest.mark.limit_memory("4 MB")
class TestClass:
    def test_method(self):
        bytearray(5 * MB)

@pytest.mark.limit_memory("4 MB")
class TestCase(unittest.TestCase):
    def test_of_unittest(self):
        bytearray(5 * MB)

@pytest.mark.limit_leaks("1 MB")
def test_leak():
    hold(2 * MB)

@pytest.mark.limit_leaks("1 MB")
def test_leak_in_two_places():
    hold(600_000)
    kept.append(bytearray(600_000))

@pytest.mark.limit_leaks("1 MB")
def test_leak_of_c():
    defective.leak(2 * MB)

@pytest.mark.limit_leaks("1 MB")
def test_garbage():
    cycle = [bytearray(2 * MB)]
    cycle.append(cycle)

@pytest.mark.limit_leaks("1 MB", filter_fn=not_held)
def test_filtered_by_python():
    hold(2 * MB)

@pytest.mark.limit_leaks("1 MB", filter_fn=not_of_c)
def test_filtered_by_c():
    defective.leak(2 * MB)

@pytest.mark.limit_leaks("1 MB", current_thread_only=True)
def test_leak_of_thread():
    in_thread(lambda: hold(2 * MB))

@pytest.mark.limit_memory("4 MB")
@pytest.mark.limit_leaks("1 MB")
def test_both():
    hold(5 * MB)
"""
#: By the names of the suite's tests: what is in them, and whether it is to fail.
ROWS = {
    "test_below": ("uses less than its limit", False),
    "test_above": ("uses more, at a time", True),
    "test_one_after_the_other": ("uses more, one after the other", False),
    "test_small_objects": ("uses more, in small objects of Python", True),
    "test_extension": ("uses more, in an extension in C", True),
    "test_mapping": ("uses more, by mmap", True),
    "test_fixture": ("its fixture uses more", False),
    "test_thread": ("a thread of it uses more", True),
    "test_other_thread": ("the same, `current_thread_only`", False),
    "test_method": ("uses more, limited by its class", True),
    "test_of_unittest": ("uses more, in a unittest case", True),
    "test_leak": ("leaves more than its limit allocated", True),
    "test_leak_in_two_places": ("the same, in two places", False),
    "test_leak_of_c": ("the same, in an extension in C", True),
    "test_garbage": ("leaves a cycle that is garbage", False),
    "test_filtered_by_python": ("leaves more, `filter_fn` knows the Python function", False),
    "test_filtered_by_c": ("leaves more, `filter_fn` knows the C function", False),
    "test_leak_of_thread": ("a thread leaves more, `current_thread_only`", False),
    "test_both": ("has both markers, and goes beyond both", True),
}
TRIVIAL = """\
import pytest

{mark}
@pytest.mark.parametrize("n", range(300))
def test(n): pass
"""
MARK = '@pytest.mark.limit_memory("24 MB")'


def main() -> int:
    """Run both, print the tables, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-memray"))
    parser.add_argument("interpreter", nargs="?", default=sys.executable)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    environment = make_environment(options.work / "environment", options.interpreter)
    environment.install_plugin(build_plugin(environment, options.work))
    environment.install(f"pytest-memray=={PYTEST_MEMRAY}")
    directory = _directory(options.work / "limits", SUITE)
    build_extension(environment, directory)
    runs = [_run(environment, directory, words) for words in (OURS, THEIRS)]
    print(f"CPython {label(options.interpreter)}, pytest-memray {PYTEST_MEMRAY}.\n")
    print(markdown(("a test that", "this project", "pytest-memray"), _rows(runs)))
    print("\n300 trivial tests, seconds of processor time in all:\n")
    print(markdown(("", "seconds", "times natively"), _costs(environment, options.work)))
    return int(any(_failed(runs[0], name) != fails for name, (_, fails) in ROWS.items()))


def _directory(directory: Path, suite: str) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_suite.py").write_text(suite)
    return directory


def _run(environment: Environment, directory: Path, words: Sequence[str]) -> Run:
    say(f"pytest {' '.join(words)}")
    return run_suite_natively(environment, directory, words, seconds=SECONDS)


def _failed(run: Run, name: str) -> bool:
    return any(test.name == name and test.failed for test in run.tests or [])


def _rows(runs: Sequence[Run]) -> list[list[object]]:
    return [
        [what, *(_verdict(run, name, fails=fails) for run in runs)]
        for name, (what, fails) in ROWS.items()
    ]


def _verdict(run: Run, name: str, *, fails: bool) -> str:
    test = next(test for test in run.tests or [] if test.name == name)
    words = f"fails: {test.message.splitlines()[0]}" if test.failed else "passes"
    return words if test.failed == fails else f"**{words}**"


def _costs(environment: Environment, work: Path) -> list[list[object]]:
    limited = _directory(work / "trivial-limited", TRIVIAL.format(mark=MARK))
    plain = _directory(work / "trivial", TRIVIAL.format(mark=""))
    natively = _run(environment, plain, (*THEIRS, "-p", "no:memray")).cpu
    rows: list[list[object]] = [["natively, without limits", f"{natively:.1f}", "1.0"]]
    for words, directory, what in (
        (OURS, plain, "the native engine alone"),
        (OURS, limited, "`limit_memory`, this project"),
        (OURS[:2], limited, "the same, started again after collection"),
        (THEIRS, limited, "`limit_memory`, pytest-memray"),
    ):
        cpu = _run(environment, directory, words).cpu
        rows.append([what, f"{cpu:.1f}", f"{cpu / natively:.1f}"])
    return rows


if __name__ == "__main__":
    sys.exit(main())
