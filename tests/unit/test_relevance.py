"""Whose concern a finding is."""

from __future__ import annotations

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.relevance import Relevance, Scope
from pytest_valgrind.findings.stack import Frame, Further, Owner

OWN = Frame(1, "work", "work.c", 3, "/site/mine/work.so", Owner.EXTENSION)
THEIRS = Frame(2, "other", "other.c", 4, "/site/theirs/other.so", Owner.EXTENSION)
PYTHON = Frame(3, "PyList_New", None, None, "/usr/lib/libpython3.so", Owner.INTERPRETER)
RAW = PYTHON._replace(function="PyMem_Malloc")
LIBC = Frame(4, "strdup", None, None, "/lib/libc.so.6", Owner.LIBC)
LIBRARY = Frame(5, "xmlNew", None, None, "/usr/lib/libxml2.so.2", Owner.LIBRARY)
MALLOC = Frame(6, "malloc", None, None, "/vgpreload_memcheck.so", Owner.VALGRIND)
JIT = Frame(7, "???", None, None, "[generated code]", Owner.GENERATED)
NOWHERE = Frame(8, "???")


def error(*stack: Frame, kind: Kind = Kind.UNINITIALISED, origin: Frame | None = None) -> Finding:
    """Return an error, and where its uninitialised value is from."""
    further = (Further("created by", (origin,)),) if origin else ()
    return Finding(kind, "an error", stack, further)


def leak(*stack: Frame) -> Finding:
    """Return a lost block."""
    return Finding(Kind.DEFINITE, "lost", (MALLOC, *stack), bytes=8, blocks=1)


@pytest.mark.parametrize(
    "finding",
    [
        error(PYTHON),
        error(PYTHON, LIBC, PYTHON),
        error(LIBC),
        error(MALLOC, PYTHON),
        error(PYTHON, NOWHERE),
        error(PYTHON, origin=PYTHON),
        error(PYTHON, kind=Kind.SYSCALL),
        error(PYTHON, kind=Kind.OVERLAP),
        error(PYTHON, kind=Kind.FISHY_SIZE),
    ],
)
def test_interpreter_only(finding: Finding) -> None:
    """Every frame is the interpreter's, libc's or valgrind's."""
    assert Scope().relevance(finding) is Relevance.INTERPRETER
    assert Scope(all_errors=True).relevance(finding) is Relevance.OWN


@pytest.mark.parametrize(
    "finding",
    [
        error(PYTHON, OWN),
        error(PYTHON, LIBRARY),
        error(PYTHON, JIT, PYTHON),
        error(PYTHON, origin=OWN),
        error(NOWHERE),
        error(),
        error(PYTHON, kind=Kind.INVALID_READ),
        error(PYTHON, kind=Kind.INVALID_WRITE),
        error(PYTHON, kind=Kind.INVALID_FREE),
        error(PYTHON, kind=Kind.MISMATCHED_FREE),
        leak(PYTHON),
    ],
)
def test_not_the_interpreters_alone(finding: Finding) -> None:
    """Somebody else has to do with it, or it is harmful anywhere."""
    assert Scope().relevance(finding) is Relevance.OWN


@pytest.mark.parametrize(
    "glob",
    [
        "/site/mine/work.so",
        "work.so",
        "work*",
        "mine/work.so",
        "mine",
        "/site/mine/*",
        "si*/mine",
        "work.c",
    ],
)
def test_files_that_fit(glob: str) -> None:
    """A pattern may be an object or source file, a name, the end of a path, or a directory."""
    assert Scope((glob,)).relevance(error(OWN)) is Relevance.OWN


@pytest.mark.parametrize("glob", ["min", "ork.so", "work", "/mine/*", "theirs"])
def test_files_that_do_not(glob: str) -> None:
    """Part of a name is not enough."""
    assert Scope((glob,)).relevance(error(OWN)) is Relevance.ELSEWHERE


@pytest.mark.parametrize(
    ("finding", "relevance"),
    [
        (error(THEIRS, OWN), Relevance.OWN),
        (error(THEIRS, origin=OWN), Relevance.OWN),
        (error(THEIRS, PYTHON), Relevance.ELSEWHERE),
        (error(PYTHON), Relevance.INTERPRETER),
        (error(kind=Kind.UNSHOWN), Relevance.OWN),
        (leak(OWN, PYTHON, THEIRS), Relevance.OWN),
        (leak(THEIRS, PYTHON, OWN), Relevance.ELSEWHERE),
        (leak(LIBC, THEIRS), Relevance.ELSEWHERE),
        (leak(LIBC, OWN), Relevance.OWN),
        (leak(LIBRARY, OWN), Relevance.OWN),
        (leak(LIBRARY, THEIRS), Relevance.ELSEWHERE),
        (leak(RAW, THEIRS), Relevance.ELSEWHERE),
        (leak(PYTHON, THEIRS), Relevance.OWN),
    ],
)
def test_only_some_code_is_meant(finding: Finding, relevance: Relevance) -> None:
    """Any frame of an error counts, the allocating one of a leak, and any lost object."""
    assert Scope(("mine",)).relevance(finding) is relevance
