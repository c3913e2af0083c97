"""The fixture ``memory_check`` and ``MemoryLeakTestCase``, natively and with the native engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import INI
from suite import Run, Suite

#: A name says whether a function leaks.
TEST = """
import functools, random, socket, unittest
import defective, pytest
from pytest_valgrind import Checkers, MemoryLeakTestCase, LeakTest

kept = []
full = functools.lru_cache(1000)(lambda n: [n])
calls = iter(range(10**9))

def every_tenth(): next(calls) % 10 or defective.leak(64)
def keep(): kept.append({})
def opens(): kept.append(socket.socket())
def fills(): full(random.randrange(10**9))
def raises(): raise ValueError

def test_block_leaks(memory_check): memory_check(defective.leak, 100)
def test_every_tenth_leaks(memory_check): memory_check(every_tenth)
def test_list_leaks(memory_check): memory_check(keep)
def test_socket_leaks(memory_check): memory_check(opens)
def test_few(memory_check): memory_check(defective.leak, 100, tolerance=1 << 30)
def test_nothing(memory_check): memory_check(int, times=20)
def test_raises(memory_check): memory_check.raising(ValueError, raises)
def test_full_cache(memory_check): memory_check(fills)

class TestCase(MemoryLeakTestCase):
    @classmethod
    def auto_generate(cls):
        return {"list": LeakTest(sorted, [3, 1]), "leaks": LeakTest(defective.leak, 10, times=50)}
    def test_method_leaks(self):
        self.execute(defective.leak, 24, checkers=Checkers.only("memory"))
    def test_method(self):
        self.execute(len, "four")
"""
LEAKING = {
    "test_block_leaks",
    *("test_list_leaks", "test_socket_leaks", "test_leak_leaks", "test_method_leaks"),
}
#: Of 20 bytes a call; noise for readings of the system would be as much.
ONLY_EXACT = {"test_every_tenth_leaks"}


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    return write(tmp_path_factory.mktemp("exact"), extension).run(
        "--heapcheck", "--memory-leak-check=off"
    )


@pytest.fixture(scope="module")
def of_system(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    made = write(tmp_path_factory.mktemp("of_system"), extension)
    return made.run(environment={"PYTHONMALLOC": "malloc"})


def write(directory: Path, path: Path) -> Suite:
    made = Suite(directory, path)
    made.write("pytest.ini", INI)
    made.write("test_calls.py", TEST)
    return made


def failed(run: Run) -> set[str]:
    return {name for name, case in run.cases.items() if case.outcome != "passed"}


def test_exact_counters(exact: Run) -> None:
    """All leaks are found, and nobody else is blamed."""
    assert failed(exact) == LEAKING | ONLY_EXACT


def test_readings_of_the_system(of_system: Run) -> None:
    """The same but for rare leaks, as psleak has it."""
    assert failed(of_system) - ONLY_EXACT == LEAKING


@pytest.mark.parametrize("which", ["exact", "of_system"])
def test_message(which: str, request: pytest.FixtureRequest) -> None:
    """It has the exception's name, and how memory grew."""
    run = request.getfixturevalue(which)
    message = run["test_block_leaks"].message
    assert message.startswith("pytest_valgrind.MemoryLeakError: memory kept")
    assert "Run # 1: heap=+2" in message
    assert (
        "UnclosedFdError: detected 1 unclosed file descriptor" in run["test_socket_leaks"].message
    )


def test_exact_bytes(exact: Run) -> None:
    """What the C code has asked for, for each call."""
    # 3.10 makes the cache of a function's code while it is called.
    first = "(calls= 200, avg/call=+100)"
    assert first in exact["test_block_leaks"].message or sys.version_info < (3, 11)
    assert "(calls= 300, avg/call=+100)" in exact["test_block_leaks"].message


def test_without_malloc(tmp_path: Path, extension: Path) -> None:
    """Python's own allocator hides small leaks, and tests of memory are skipped."""
    run = write(tmp_path, extension).run("-k", "block or method", "-rs")
    assert {case.outcome for case in run.cases.values()} == {"skipped"}
    assert "PYTHONMALLOC=malloc was not set" in run.output
