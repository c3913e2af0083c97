"""Limits and the memory log under ``--valgrind``: what is in use is counted to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from heapcheck_runs import native_suite
from suite import Run, Suite

pytestmark = pytest.mark.slow

TESTS = """
import mmap
import threading

import defective
import pytest

kept = []


def hold(size):
    kept.append(bytearray(size))


def hold_elsewhere(size):
    kept.append(bytearray(size))


def not_of_c(stack):
    return all(frame.function != "leak" for frame in stack.frames)


def not_of_python(stack):
    return all(frame.function != "hold" for frame in stack.frames)


@pytest.mark.limit_memory("1 MB")
@pytest.mark.parametrize("size", [1, 1_000_001])
def test_exact(size):
    defective.leak(size)


@pytest.mark.limit_memory("1 MB")
def test_above():
    bytearray(3 << 20)


@pytest.mark.limit_memory("1 MB")
def test_multiplied():
    bytearray(3 << 19)


@pytest.mark.limit_memory("1 MB")
def test_mapping():
    mmap.mmap(-1, 5 << 20).close()


@pytest.mark.limit_memory("1 MB", current_thread_only=True)
def test_other_thread():
    thread = threading.Thread(target=bytearray, args=(5 << 20,))
    thread.start()
    thread.join()


@pytest.mark.limit_leaks("1 MB")
def test_leak():
    hold(3 << 20)


@pytest.mark.limit_leaks("1 MB")
def test_leak_in_two_places():
    hold(3 << 19)
    hold_elsewhere(3 << 19)


@pytest.mark.limit_leaks("1 MB", filter_fn=not_of_python)
def test_filtered_by_python():
    hold(3 << 20)


@pytest.mark.limit_leaks("1 MB", filter_fn=not_of_c)
def test_filtered_by_c():
    defective.leak(3 << 20)


@pytest.mark.limit_leaks("1 MB")
def test_freed():
    bytearray(3 << 20)


def test_without_a_limit():
    hold(5_000_000)
"""
ABOVE = {"test_above": "3.0MiB", "test_mapping": "5.0MiB"}
PASSED = (
    *("test_exact[1]", "test_exact[1000001]", "test_multiplied", "test_other_thread"),
    *("test_leak_in_two_places", "test_filtered_by_python", "test_filtered_by_c"),
    *("test_freed", "test_without_a_limit"),
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Suite:
    """Return the suite."""
    made = native_suite(tmp_path_factory.mktemp("limits"), extension, {"test_limits.py": TESTS})
    made.write("pytest.ini", "[pytest]\nlimit_markers = true\nvalgrind_limit_factor = 2\n")
    return made


@pytest.fixture(scope="module")
def limited(suite: Suite) -> Run:
    """Return a run of it; what a test leaves on purpose is lost, too."""
    options = ("--valgrind", "--memory-leak-check=off", "--memory-log=log.jsonl")
    return suite.run("-p", "cacheprovider", *options)


@pytest.mark.parametrize("name", ABOVE)
def test_use_above_the_limit_fails(limited: Run, name: str) -> None:
    """By the limit times the factor; and it is no ordinary failure, which would be expected."""
    expected = f"Test was limited to 2.0MiB but allocated {ABOVE[name]}"
    assert (limited[name].outcome, limited[name].message) == ("failed", expected)


@pytest.mark.parametrize("name", PASSED)
def test_within_the_limit_passes(limited: Run, name: str) -> None:
    """Or without one."""
    assert limited[name].outcome == "passed", limited[name].text


def test_what_is_left_allocated_fails(limited: Run) -> None:
    """With the functions of Python below which it was allocated."""
    assert limited["test_leak"].outcome == "failed"
    _, _, listed = limited.output.partition("List of leaked allocations:\n")
    size, first, second, *_ = map(str.strip, listed.splitlines())
    assert size == "- 3.0MiB allocated here:"
    assert first.startswith("hold:") and second.startswith("test_leak:")


def test_measure_is_exact(limited: Run, suite: Suite) -> None:
    """It is what the extension asks for, and the same little that the call itself takes."""
    assert limited
    file = suite.directory / ".pytest_cache" / "d" / "limit_memory" / "used.jsonl"
    used = dict(map(json.loads, file.read_text().splitlines()))
    assert 0 <= used["test_limits.py::test_exact[1000001]"] - 1_000_001 < 4096


def test_log_has_the_live_bytes(limited: Run, suite: Suite) -> None:
    """Those of the program, and not of valgrind."""
    assert "with valgrind's own memory" in limited.output
    lines = map(json.loads, (suite.directory / "log.jsonl").read_text().splitlines())
    (test,) = (line for line in lines if line["nodeid"].endswith("test_without_a_limit"))
    assert 0 <= test["heap_end"] - test["heap_start"] - 5_000_000 < 100_000


def test_what_is_not_counted_is_said(suite: Suite) -> None:
    """Where nobody has told before that there are limits: a second start would take too long."""
    suite.write("pytest.ini", "[pytest]\n")
    run = suite.run("--valgrind", "--memory-leak-check=off", "-k", "test_freed or test_above")
    assert run.code == pytest.ExitCode.OK
    assert "limits to the memory of 2 tests are not checked: valgrind does not" in run.output
    assert "--limit-markers, has it do so" in run.output
