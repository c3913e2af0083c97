"""Findings as values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_valgrind.findings.finding import Finding, merged
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Further, Owner
from pytest_valgrind.memcheck.error_contexts import key_of


def stack(text: str) -> tuple[Frame, ...]:
    """Return a stack; capital letters are the extension's functions."""
    return tuple(
        Frame(1, name, owner=Owner.EXTENSION if name.isupper() else Owner.INTERPRETER)
        for name in text.split()
    )


def leak(text: str, size: int = 1) -> Finding:
    """Return a leaked block."""
    return Finding(Kind.DEFINITE, "", stack(text), bytes=size, blocks=1, raw=text)


def error(text: str, kind: Kind = Kind.UNINITIALISED, further: str = "") -> Finding:
    """Return an error."""
    return Finding(kind, "", stack(text), (Further("created", stack(further)),))


def lost_object(text: str, type: str) -> Finding:
    """Return an object that was lost."""
    return replace(leak(text), types={type: 1})


def left(path: str) -> Finding:
    """Return a file that was left open."""
    return Finding(Kind.OPEN_DESCRIPTOR, f"Open {path}", stack("open eval"))


def test_same_place_by_another_way_of_the_interpreter() -> None:
    """They are one finding, with both blocks."""
    (found,) = merged([leak("malloc F G call eval", 3), leak("malloc F G vectorcall eval", 4)])
    assert (found.bytes, found.blocks) == (7, 2)
    assert found.raw == "malloc F G call eval\n\nmalloc F G vectorcall eval"


def test_other_places_stay_apart() -> None:
    """Their order is kept."""
    found = merged([leak("malloc F"), leak("malloc G"), leak("malloc"), leak("malloc F")])
    assert [finding.blocks for finding in found] == [2, 1, 1]


def of_object(path: str) -> Finding:
    """Return a leak in an extension that has no debug information."""
    frame = Frame(1, "work", object=path, owner=Owner.EXTENSION)
    return Finding(Kind.DEFINITE, "", (frame,), bytes=1, blocks=1)


def test_object_files_of_the_same_name_are_not_one() -> None:
    """They differ, although only their name is shown."""
    one, other = of_object("/site/a/_speedups.so"), of_object("/site/b/_speedups.so")
    assert [str(found.stack[0]) for found in (one, other)] == ["work (in _speedups.so)"] * 2
    assert merged([one, other, one]) == [one.plus(one), other]
    assert key_of(one) != key_of(other)
    assert one.stack_of_extension != other.stack_of_extension


def test_source_files_of_the_same_name_are_not_one() -> None:
    """They differ where valgrind says their directories."""
    frames = [Frame(1, "work", "ext.c", 7, path=f"/src/{name}/ext.c") for name in "ab"]
    one, other = (Finding(Kind.INVALID_READ, "", (frame,)) for frame in frames)
    assert len(merged([one, other, one])) == 2
    assert str(frames[0]) == str(frames[1]) == "work (ext.c:7)"


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        (leak("malloc F G call eval", 3), leak("malloc F G vectorcall eval", 4), True),
        (leak("malloc F"), leak("malloc G"), False),
        (leak("malloc F"), error("malloc F"), False),
        (lost_object("eval", "list"), lost_object("eval", "list"), True),
        (lost_object("eval", "list"), lost_object("eval", "dict"), False),
        (lost_object("new F", "list"), lost_object("new F", "dict"), True),
        (lost_object("", "list"), lost_object("", "list"), True),
        (error("eval", further="malloc F"), error("eval", further="malloc G"), False),
        (left("/dev/null"), left("/dev/null"), True),
        (left("/dev/null"), left("/dev/zero"), False),
    ],
)
def test_same_defect(one: Finding, other: Finding, are_same: bool) -> None:
    """It is where the extension's part of the stack is the same, or else what was lost."""
    assert one.defect
    assert (one.defect == other.defect) is are_same


NAMELESS = Frame(1, "???", object="/site/_ext.so", owner=Owner.EXTENSION)


@pytest.mark.parametrize(
    "finding",
    [replace(leak(""), stack=(NAMELESS,)), leak(""), error("F", Kind.TIMEOUT)],
    ids=["no name", "no stack", "hang"],
)
def test_no_defect_is_known(finding: Finding) -> None:
    """Nothing tells it from others: no name, no stack, or only where it hung."""
    assert finding.defect == ()


@pytest.mark.parametrize(
    ("finding", "is_noise"),
    [
        (error("eval call"), True),
        (error("eval call", Kind.SYSCALL), True),
        (error("eval F call"), False),
        (error("eval", further="malloc F"), False),
        (error("eval call", Kind.INVALID_READ), False),
        (error("eval call", Kind.INVALID_FREE), False),
        (error("eval call", Kind.DEFINITE), False),
        (Finding(Kind.UNINITIALISED, ""), False),
    ],
)
def test_noise_of_the_interpreter(finding: Finding, is_noise: bool) -> None:
    """Only uninitialised values are, and only if no extension takes part."""
    assert finding.is_interpreter_noise is is_noise


@pytest.mark.parametrize(
    ("text", "further", "innermost"),
    [
        ("malloc F G eval", "", "F"),
        ("eval call", "malloc F", "F"),
        ("eval call", "", "eval"),
    ],
)
def test_frame_to_name(text: str, further: str, innermost: str) -> None:
    """It is the innermost of the extension, wherever it stands."""
    frame = error(text, further=further).innermost
    assert frame is not None
    assert frame.function == innermost
