"""Logs of child processes, natively: whose they are, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.children.child_log import ChildLog
from pytest_valgrind.children.code_of_child import is_of_system
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.memcheck.object_files import ObjectFiles

HEADER = """\
==70== Memcheck, a memory error detector
==70== Command: /home/me/prog one\\ word
==70== Parent PID: 60
==70==
"""
READ = """\
==70== Invalid read of size 1
==70==    at 0x401000: read_past_end (prog.c:20)
==70==    by 0x402000: main (prog.c:33)
==70==
"""
JUMP = """\
==70== Conditional jump or move depends on uninitialised value(s)
==70==    at 0x403000: decide (prog.c:50)
==70==
"""
LEAK = """\
==70== 44 bytes in 1 blocks are definitely lost in loss record 1 of 1
==70==    at 0x4841000: malloc (in /usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so)
==70==    by 0x401100: leak (prog.c:11)
==70==
"""
OBJECT = "**70** pytest-valgrind: object 400000 500000 /home/me/prog\n"
FORK = "**70** pytest-valgrind: fork 1\n"
BEGIN = "**70** pytest-valgrind: begin\n"


class Parent:
    """The process that runs the tests."""

    command = "python -m pytest"

    def object_at(self, address: int) -> str | None:
        """Return an extension."""
        return "/home/me/extension.so" if address < 0x500000 else None


def listed(error: str, count: int) -> str:
    """Return an error as it is listed at the end."""
    return f"==70== {count} errors in context 1 of 1:\n{error}==70==\n"


def summary(count: int) -> str:
    """Return the line above the list."""
    return f"==70== ERROR SUMMARY: {count} errors from 1 contexts (suppressed: 0 from 0)\n==70==\n"


def log(tmp_path: Path, text: str | bytes) -> ChildLog:
    """Return a log."""
    path = tmp_path / "valgrind.70.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    made = ChildLog(path, 70)
    made.inherit(Parent())
    return made


def found(of: ChildLog, *, has_ended: bool = True) -> list[Finding]:
    """Return what is in a log."""
    return of.findings(ObjectFiles(list, ["/usr/bin/python3"]), (), has_ended=has_ended)


def test_program(tmp_path: Path) -> None:
    """Its log tells its parent, its command, its errors, and whose code they are in."""
    child = log(tmp_path, HEADER + OBJECT + READ + summary(1) + listed(READ, 1))
    assert child.parent == 60
    assert not child.is_fork
    (error,) = found(child)
    assert error.kind is Kind.INVALID_READ
    assert error.process == "70 (prog one word)"
    assert error.stack[0].object == "/home/me/prog"
    assert error.count == 1


def test_error_that_is_repeated(tmp_path: Path) -> None:
    """It has the count of the list."""
    (error,) = found(log(tmp_path, HEADER + OBJECT + READ + summary(3) + listed(READ, 3)))
    assert error.count == 3


def test_fork(tmp_path: Path) -> None:
    """What is listed at its start is its parent's, and what it has repeated is its own."""
    text = HEADER + FORK + summary(1) + listed(READ, 1) + BEGIN
    child = log(tmp_path, text + JUMP + summary(4) + listed(JUMP, 1) + listed(READ, 3))
    jump, read = found(child)
    assert (jump.kind, jump.count) == (Kind.UNINITIALISED, 1)
    assert (read.kind, read.count) == (Kind.INVALID_READ, 2)
    assert read.process == "70 (a fork)"
    assert read.stack[0].object == "/home/me/extension.so"


def test_clean(tmp_path: Path) -> None:
    """That is known without parsing, for a fork of a process with errors as well."""
    assert log(tmp_path, HEADER + OBJECT + summary(0)).is_clean
    assert log(tmp_path, HEADER + FORK + summary(1) + BEGIN + summary(1)).is_clean
    assert not log(tmp_path, HEADER + FORK + summary(1) + BEGIN + summary(2)).is_clean
    assert not log(tmp_path, HEADER + OBJECT + LEAK + summary(0)).is_clean
    assert not log(tmp_path, HEADER).is_clean


def test_fork_that_executed_nothing(tmp_path: Path) -> None:
    """It lists only what is its parent's."""
    header = HEADER.replace("/home/me/prog one\\ word", Parent.command)
    assert not found(log(tmp_path, header + LEAK + summary(1) + listed(READ, 1)))


def test_log_that_is_being_written(tmp_path: Path) -> None:
    """A message without its end is read the next time."""
    half = JUMP.partition("\n")[0] + "\n"
    (error,) = found(log(tmp_path, HEADER + OBJECT + READ + half), has_ended=False)
    assert error.kind is Kind.INVALID_READ


@pytest.mark.parametrize("kept", range(0, len(HEADER + OBJECT + READ), 7))
def test_truncated_log(tmp_path: Path, kept: int) -> None:
    """It is read as far as it goes."""
    errors = found(log(tmp_path, (HEADER + OBJECT + READ)[:kept]))
    assert all(error.kind is Kind.INVALID_READ for error in errors)


def test_binary_log(tmp_path: Path) -> None:
    """What can be found in it is found."""
    child = log(tmp_path, b"\0\xff\xfe" * 5000 + b"\n" + (HEADER + READ).encode() + b"\x80\0")
    (error,) = found(child)
    assert error.kind is Kind.INVALID_READ


@pytest.mark.parametrize(("signal", "counts"), [("11 (SIGSEGV)", True), ("15 (SIGTERM)", False)])
def test_crash(tmp_path: Path, signal: str, *, counts: bool) -> None:
    """It is a finding, unless somebody wanted it."""
    crash = f"==70== Process terminating with default action of signal {signal}\n"
    errors = found(log(tmp_path, HEADER + OBJECT + crash + READ.partition("\n")[2]))
    assert [error.kind for error in errors] == ([Kind.FATAL_SIGNAL] if counts else [])


PYTHON = "**70** pytest-valgrind: object 400000 500000 /usr/bin/python3\n"


def test_end_of_interpreter(tmp_path: Path) -> None:
    """What it loses then is its own, unless leaks were looked for before."""
    child = log(tmp_path, HEADER + PYTHON + LEAK)
    assert [child.is_of_interpreter(leak) for leak in found(child)] == [True]
    child = log(tmp_path, HEADER + PYTHON + "**70** pytest-valgrind: leaks\n" + LEAK)
    assert [child.is_of_interpreter(leak) for leak in found(child)] == [False]
    child = log(tmp_path, HEADER + OBJECT + LEAK)
    assert [child.is_of_interpreter(leak) for leak in found(child)] == [False]


def test_program_of_the_system(tmp_path: Path) -> None:
    """It concerns nobody here, whatever it does."""
    system = OBJECT.replace("/home/me/prog", "/usr/bin/sort")
    child = log(tmp_path, HEADER + system + READ)
    assert [is_of_system(error) for error in found(child)] == [True]
    child = log(tmp_path, HEADER + OBJECT + READ)
    assert [is_of_system(error) for error in found(child)] == [False]
