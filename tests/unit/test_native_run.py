"""Stacks as memray has them: which frames are the interpreter's, and where pytest begins."""

from __future__ import annotations

import _pytest.python
import pytest

from pytest_valgrind.limits.native_run import frames_of


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("list_repeat", "Objects/listobject.c"),
        ("_PyEval_EvalFrame", "./Include/internal/pycore_ceval.h"),
        ("bytearray___init__", "Objects/clinic/bytearrayobject.c.h"),
        ("PyEval_EvalCode", "/usr/src/python3.12/build/../Python/ceval.c"),
        ("_PyObject_MakeTpCall", "<unknown>"),
    ],
)
def test_frames_of_the_interpreter_are_left_out(function: str, file: str) -> None:
    """Wherever it was compiled, and where its source is not known."""
    assert frames_of([(function, file, 1), ("test_a", "/a/test_a.py", 2)]) == [
        ("test_a", "/a/test_a.py", 2)
    ]


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("leak", "/project/src/leak.c"),
        ("array_new", "../numpy/_core/src/multiarray/ctors.c"),
        ("some_function", "<unknown>"),
        ("make", "/project/Objects/make.py"),
    ],
)
def test_other_frames_stay(function: str, file: str) -> None:
    """Of extensions and of Python."""
    assert frames_of([(function, file, 1)]) == [(function, file, 1)]


def test_stack_ends_at_the_test() -> None:
    """Below it there is pytest."""
    found = frames_of([("test_a", "/a/test_a.py", 2), ("runtest", _pytest.python.__file__, 3)])
    assert found == [("test_a", "/a/test_a.py", 2)]
