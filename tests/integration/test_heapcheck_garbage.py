"""What only the garbage collector, or C code that goes on, still knows is not lost."""

from __future__ import annotations

from pathlib import Path

from heapcheck_runs import MIXED, native_suite, run_natively, section

#: Each collection leaves more dicts in the free list than pytest makes between two tests.
FREE_DICTS = """\
import gc

def make_and_free(_phase, _info):
    for number in [{"number": number} for number in range(200)]:
        pass

gc.callbacks.append(make_and_free)

def test_a(): pass
def test_b(): pass
def test_fails(): assert False
def test_c(): pass
def test_fails_as_well(): assert False
"""
#: The check of the first two tests begins after the second and ends after the last one.
SLOW_CHECK = """\
from pytest_valgrind.leaks.group_check import GroupCheck
from pytest_valgrind.leaks.groups import Queue

real = GroupCheck._ended

def is_due(queue, last, seconds):
    return last.nodeid.endswith("test_b") and queue.checked is None

def ended(check):
    tests = []
    while check._queue.is_at_end and check._queue.checked is not None:
        tests = real(check)
    return tests

def pytest_configure():
    Queue._is_worth_it = is_due
    GroupCheck._ended = ended
"""


def test_arguments_of_calls_that_go_on(tmp_path: Path, extension: Path) -> None:
    """They are not lost, though they lie in what a test has freed, and C alone knows of them."""
    suite = native_suite(tmp_path, extension, {"test_free.py": FREE_DICTS})
    run = run_natively(suite, "--maxfail=2")
    assert "nothing found, 5 tests checked" in section(run)


def test_what_reports_leave_is_not_lost(tmp_path: Path, extension: Path) -> None:
    """Those of earlier tests, which a check held back until the last test had run."""
    files = {"test_mixed.py": MIXED, "conftest.py": SLOW_CHECK}
    suite = native_suite(tmp_path, extension, files)
    run = run_natively(suite)
    assert {name for name, case in run.cases.items() if case.outcome != "passed"} == {
        "test_b",
        "test_c",
    }
    assert "for 2 groups" in run.output
