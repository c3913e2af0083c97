"""What tests with a limit used in earlier runs: kept, read, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.limits.previous_use import PreviousUse

KB = 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where it is kept."""
    return tmp_path / "used.jsonl"


def ran(path: Path, **used: int) -> None:
    """Have a run note what tests use."""
    previous = PreviousUse(path)
    for nodeid, each in used.items():
        previous.note(nodeid, each)
    previous.write()


def test_increase(path: Path) -> None:
    """It is one by more than a percent, and by more than hashes that differ explain."""
    ran(path, small=1 * KB, large=1000 * KB)
    previous = PreviousUse(path)
    assert previous.exceeded("small", 5 * KB) is None
    assert previous.exceeded("small", 5 * KB + 1) == KB
    assert previous.exceeded("large", 1010 * KB) is None
    assert previous.exceeded("large", 1011 * KB) == 1000 * KB
    assert previous.exceeded("unknown", 1000 * KB) is None


def test_last_run_counts(path: Path) -> None:
    """And what another test used stays known."""
    ran(path, one=1000 * KB, two=1000 * KB)
    ran(path, one=2000 * KB)
    previous = PreviousUse(path)
    assert previous.exceeded("one", 2001 * KB) is None
    assert previous.exceeded("two", 2001 * KB) == 1000 * KB


def test_the_same_is_not_written_again(path: Path) -> None:
    """A run in which nothing changes writes nothing."""
    ran(path, one=KB)
    size = path.stat().st_size
    ran(path, one=KB)
    assert path.stat().st_size == size


def test_file_does_not_grow_for_ever(path: Path) -> None:
    """Lines that do not count any more are dropped when there are too many."""
    for used in range(20):
        ran(path, one=used)
    assert len(path.read_text().splitlines()) <= 3


def test_nothing_is_kept() -> None:
    """Where pytest has no cache."""
    previous = PreviousUse(None)
    previous.note("one", 1)
    previous.write()
    assert previous.exceeded("one", 2**40) is None


def test_file_that_is_none(path: Path) -> None:
    """It is a cache: what cannot be read is not known."""
    path.write_text("{")
    assert PreviousUse(path).exceeded("one", 1) is None
