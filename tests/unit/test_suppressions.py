"""Suppressions: made from findings, read from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.findings.suppressions import Suppression, named_in, unused, write

O = Owner  # noqa: E741


def finding(*frames: tuple[str, Owner], rest: int = 0, kind: str = "Memcheck:Cond") -> Finding:
    """Return an error as valgrind prints it with a suppression.

    :param rest: how many pytest frames valgrind has below, in the suppression only.
    """
    stack = tuple(Frame(n, name, owner=owner) for n, (name, owner) in enumerate(frames))
    places = [f"fun:{name}" for name, _ in frames] + ["fun:pytest"] * rest
    return Finding(
        Kind.UNINITIALISED,
        "Conditional jump",
        stack,
        suppression=("<insert_a_suppression_name_here>", kind, *places),
    )


def places(finding: Finding) -> tuple[str, ...]:
    """Return the places of a finding's suppression."""
    suppression = Suppression.of(finding)
    assert suppression is not None
    return suppression.places


def test_stack_down_to_the_extension() -> None:
    """What is below the outermost frame of an extension does not matter."""
    found = finding(("f", O.EXTENSION), ("g", O.EXTENSION), ("eval", O.INTERPRETER), rest=5)
    assert places(found) == ("fun:f", "fun:g")


def test_frames_of_the_interpreter_stand_for_any_number() -> None:
    """The first, in which it happened, is kept."""
    found = finding(
        *(("malloc", O.VALGRIND), ("new", O.INTERPRETER), ("list", O.INTERPRETER)),
        *(("f", O.EXTENSION), ("call", O.INTERPRETER), ("g", O.EXTENSION)),
    )
    assert places(found) == ("fun:malloc", "...", "fun:f", "...", "fun:g")
    assert places(finding(("bool", O.INTERPRETER), ("f", O.EXTENSION))) == ("fun:bool", "fun:f")


def test_without_an_extension_the_stack_is_kept() -> None:
    """So it suppresses as little else as possible."""
    found = finding(*[(f"f{n}", O.INTERPRETER) for n in range(40)], rest=5)
    assert places(found) == tuple(f"fun:f{n}" for n in range(24))


def test_directories_are_left_out() -> None:
    """They differ on another machine."""
    stack = (Frame(1, "???", object="/home/me/ext.so", owner=O.EXTENSION),)
    found = Finding(
        Kind.UNINITIALISED, "", stack, suppression=("<>", "Memcheck:Cond", "obj:/home/me/ext.so")
    )
    assert places(found) == ("obj:*/ext.so",)


def test_more_about_the_kind_is_kept() -> None:
    """That is the parameter of a system call, or the kinds of leak."""
    found = Finding(
        Kind.SYSCALL,
        "",
        (Frame(1, "write", owner=O.LIBC),),
        suppression=("<>", "Memcheck:Param", "write(buf)", "fun:write"),
    )
    suppression = Suppression.of(found)
    assert suppression is not None
    assert suppression.kind == ("Memcheck:Param", "write(buf)")


def test_finding_without_a_suppression() -> None:
    """A process that died has printed none."""
    assert Suppression.of(Finding(Kind.FATAL_SIGNAL, "died")) is None


def test_noise_goes_down_to_python_code() -> None:
    """It has at least four frames, by which valgrind tells errors apart."""
    loop = ("_PyEval_EvalFrameDefault", O.INTERPRETER)
    others = [(f"f{n}", O.INTERPRETER) for n in range(9)]
    deep = Suppression.of_noise(finding(*others[:5], loop, *others))
    shallow = Suppression.of_noise(finding(loop, *others[:2], loop, *others))
    assert deep is not None
    assert shallow is not None
    assert len(deep.places) == 6
    assert len(shallow.places) == 4


def test_written_file(tmp_path: Path) -> None:
    """It has each suppression once, named after its first test, with the finding."""
    path = tmp_path / "file"
    one, two = finding(("f", O.EXTENSION)), finding(("g", O.EXTENSION))
    particular = finding(("f", O.EXTENSION), ("h", O.EXTENSION))
    assert write(path, [("a", particular), ("a", one), ("b", one), ("b", two)]) == 2
    assert [named.name for named in named_in(path)] == [
        "a: uninitialised value",
        "b: uninitialised value",
    ]
    assert "# Conditional jump\n#     f (???)\n{\n   a: uninitialised value\n" in path.read_text()


def test_stack_without_an_extension_is_warned_of(tmp_path: Path) -> None:
    """The suppression may hide more than it should."""
    path = tmp_path / "file"
    write(path, [("a", finding(("eval", O.INTERPRETER)))])
    assert "may suppress others" in path.read_text()


FILE = """\
# a comment
{
   first: with a colon
   Memcheck:Leak
   match-leak-kinds: definite
   fun:f
}

{
   # another
   of another tool
   Helgrind:Race
   fun:g
}
{
   of two tools
   Helgrind,Memcheck:Cond
   fun:h
}
{
   of the core
   CoreError:FdBadClose
   fun:close
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a suppression file."""
    path = tmp_path / "some.supp"
    path.write_text(FILE)
    return path


def test_names_in_a_file(file: Path) -> None:
    """They come with their lines, as valgrind counts them."""
    assert [(named.name, named.line) for named in named_in(file)] == [
        ("first: with a colon", 3),
        ("of two tools", 16),
        ("of the core", 21),
    ]


def test_unused(file: Path) -> None:
    """These are the ones that valgrind does not list."""
    used = {f"first: with a colon {file}:3", "of two tools /another:16"}
    assert [named.name for named in unused([file], used)] == ["of two tools", "of the core"]


def test_file_that_is_gone(tmp_path: Path, file: Path) -> None:
    """A test may have removed it; the others are looked at."""
    assert len(list(unused([tmp_path / "gone", file], set()))) == 3
