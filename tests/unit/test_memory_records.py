"""The memory log: what is measured, written, read and listed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from pytest_valgrind.memory_log import resident_set
from pytest_valgrind.memory_log.records import MemoryOfTest, read, write
from pytest_valgrind.memory_log.resident_set import OfLinux
from pytest_valgrind.memory_log.summary import lines
from pytest_valgrind.option_paths import LogToWrite
from pytest_valgrind.option_table import option_named

MB = 1 << 20
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def grown(name: str, growth: int, peak: int | None = 90 * MB) -> MemoryOfTest:
    return MemoryOfTest(f"test_a.py::{name}", "passed", 0.5, 40 * MB, 40 * MB + growth, peak)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A line is a test."""
    tests = [grown("test_one", 1), grown("test_ünicode", 2)._replace(worker="gw0", heap_end=7)]
    for test in tests:
        write(tmp_path / "log", test)
    assert list(read(tmp_path / "log")) == tests
    assert len((tmp_path / "log").read_bytes().splitlines()) == 2


def test_line_is_that_of_json() -> None:
    """It is put together by hand, as that is faster."""
    first = grown('test_"quoted"\\ü', -1, None)
    for test in (first, first._replace(seconds=1e-05, worker="gw1", heap_start=5, blocks_end=0)):
        assert test.line == f"{json.dumps(test._asdict())}\n".encode()


def test_line_without_an_end_is_left_out(tmp_path: Path) -> None:
    """The disk was full."""
    path = tmp_path / "log"
    write(path, grown("test_one", 1))
    path.write_bytes(path.read_bytes() + b'{"nodeid": "test_a.p')
    assert [test.nodeid for test in read(path)] == ["test_a.py::test_one"]


def test_every_line_begins_as_a_log_does(tmp_path: Path) -> None:
    """By that, other files are told from it."""
    path = tmp_path / "log"
    write(path, grown("test_one", 1))
    log_type = option_named("memory_log").type
    assert isinstance(log_type, LogToWrite)
    assert log_type.read("log", tmp_path) == path


@pytest.mark.parametrize("text", ["test_a.py", "test_b.py::test_one", "."])
def test_name_of_a_test_is_no_log(tmp_path: Path, text: str) -> None:
    """The word after the option is taken for FILE, and would be overwritten."""
    (tmp_path / "test_a.py").write_text("def test_one(): pass")
    with pytest.raises(ValueError, match=r"is not such a log|there is a directory"):
        option_named("memory_log").type.read(text, tmp_path)
    assert (tmp_path / "test_a.py").read_text() == "def test_one(): pass"


def test_table_of_the_tests_that_grew_most() -> None:
    """The first grew most; what grew by less than a megabyte is not listed."""
    tests = [
        grown("test_small", MB - 1),
        grown("test_less", 2 * MB, None),
        grown("test_most", 3 * MB),
    ]
    assert list(lines(tests)) == [
        "   grew by        peak  test",
        "    3.0MiB     90.0MiB  test_a.py::test_most",
        "    2.0MiB           ?  test_a.py::test_less",
        "3 tests measured",
    ]


def test_table_says_what_is_over_the_limit() -> None:
    """It lists what is below a megabyte, too, if the limit is."""
    found = list(lines([grown("test_less", 1024), grown("test_most", 4096)], 2048))
    assert found[1].endswith("test_most  (over the limit)")
    assert len(found) == 3


def test_table_has_an_end() -> None:
    """Of many tests, the first ten are named."""
    found = list(lines([grown(f"test_{n}", 2 * MB) for n in range(15)]))
    assert found[-2] == "and 5 more that grew by 1.0MiB or more"
    assert len(found) == 1 + 10 + 2


def test_suite_that_does_not_grow() -> None:
    """It is said in a line."""
    found = list(lines([grown("test_one", 0)]))
    assert found == ["no test grew by 1.0MiB or more", "1 test measured"]


@needs_proc
def test_resident_set_grows_with_what_is_written_to() -> None:
    """And with that only."""
    measure = OfLinux()
    before = measure.start()
    # As large as this, malloc maps it anew, whatever was freed before (mallopt(3)).
    held = bytearray(os.urandom(64 * MB))
    assert 63 * MB < measure.read().now - before < 88 * MB
    assert held


@needs_proc
def test_peak_is_of_the_time_since_the_start() -> None:
    """What was freed before does not count."""
    measure = OfLinux()
    measure.start()
    bytearray(os.urandom(64 * MB))
    first = measure.read()
    start = measure.start()
    second = measure.read()
    assert first.peak is not None and second.peak is not None
    assert first.peak - first.now > 60 * MB
    assert second.peak - start < 30 * MB


@needs_proc
def test_peak_where_the_process_had_more_before_it_was_replaced() -> None:
    """getrusage(2) has that number then, and the kernel's list says what is right."""
    measure = OfLinux()
    measure._untold = 1 << 50
    start = measure.start()
    bytearray(os.urandom(64 * MB))
    peak = measure.read().peak
    assert peak is not None and 60 * MB < peak - start < 200 * MB


@needs_proc
def test_peak_is_not_known_where_it_cannot_be_reset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Containers may have /proc read-only: rather than a wrong number there is none."""
    monkeypatch.setattr(resident_set, "_CLEAR", f"{tmp_path}/no/clear_refs")
    measure = OfLinux()
    measure.start()
    assert measure.read().peak is None


def test_nothing_knows_the_resident_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux psutil is needed, and the user is told so."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(pytest.UsageError, match="need psutil here: pip install psutil"):
        resident_set.resident_set()
