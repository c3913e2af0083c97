"""The log as a file."""

from __future__ import annotations

from pathlib import Path

from pytest_valgrind.memcheck.log_file import Log


def test_log_is_followed(tmp_path: Path) -> None:
    """Each line is read once."""
    path = tmp_path / "log"
    path.write_text("one\n")
    log = Log(path)
    assert list(log.read()) == ["one"]
    assert list(log.read()) == []
    with path.open("a") as file:
        file.write("two\n")
    assert list(log.read()) == ["two"]
    log.close()


def test_truncated_log_is_read_from_its_new_start(tmp_path: Path) -> None:
    """Somebody emptied it."""
    path = tmp_path / "log"
    path.write_text("something long\n")
    log = Log(path)
    log.skip()
    path.write_text("new\n")
    assert list(log.read()) == ["new"]
    assert log.was_truncated
    log.close()


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    """A file name in a stack may have any."""
    path = tmp_path / "log"
    path.write_bytes(b"\xff.c:12\n")
    log = Log(path)
    assert list(log.read()) == ["\ufffd.c:12"]
    log.close()
