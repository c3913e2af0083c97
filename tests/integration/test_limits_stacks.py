"""Whole C stacks of what a limit is about, where memray is installed (the extra ``stacks``)."""

from __future__ import annotations

import re

import pytest
from conftest import build_extension
from heapcheck_runs import native_suite
from suite import Run

pytest.importorskip("memray")

EXTENSION = """
#include <Python.h>

static void *volatile kept;

__attribute__((noinline)) void *inner_of_c(size_t size)
{
    void *made = malloc(size);
    __asm__ volatile("" ::: "memory");
    return made;
}

__attribute__((noinline)) void outer_of_c(size_t size)
{
    kept = inner_of_c(size);
    __asm__ volatile("" ::: "memory");
}

static PyObject *lose(PyObject *module, PyObject *size)
{
    (void)module;
    outer_of_c(PyLong_AsSize_t(size));
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {{"lose", lose, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "deep", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_deep(void)
{
    return PyModule_Create(&definition);
}
"""
SUITE = """
import deep
import pytest

kept = []

def cache(size):
    kept.append(bytearray(size))

def functions(stack):
    return [frame.function for frame in stack.frames]

@pytest.mark.limit_leaks("1 MB")
def test_leak():
    deep.lose(2_000_000)

@pytest.mark.limit_memory("1 MB")
def test_use():
    deep.lose(2_000_000)

@pytest.mark.limit_leaks("1 MB", filter_fn=lambda stack: "outer_of_c" not in functions(stack))
def test_filtered_by_c():
    deep.lose(2_000_000)

@pytest.mark.limit_leaks("1 MB", filter_fn=lambda stack: "cache" not in functions(stack))
def test_filtered_by_python():
    cache(2_000_000)

@pytest.mark.limit_leaks("1 MB", filter_fn=lambda stack: "other" not in functions(stack))
def test_not_filtered():
    cache(2_000_000)

@pytest.mark.limit_leaks("1 MB", filter_fn=lambda stack: stack.frames[-1].lineno < 0)
def test_lines_are_numbers():
    cache(2_000_000)
"""
#: The frames of what is listed: functions, and files with lines.
OF_C = (
    r"inner_of_c:\S*deep\.c:8\n +outer_of_c:\S*deep\.c:15\n +lose:\S*deep\.c:22\n"
    r" +{}:\S*test_deep\.py:{}\n"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run."""
    directory = tmp_path_factory.mktemp("deep")
    source = directory / "deep.c"
    source.write_text(EXTENSION)
    build_extension(source, directory, "-g")
    suite = native_suite(directory, directory, {"test_deep.py": SUITE})
    return suite.run("--limit-markers")


def test_stack_of_a_leak(run: Run) -> None:
    """All C functions of the extension, and the line of the test; nothing of the interpreter."""
    heading = r"List of leaked allocations:\n    - 1\.9MiB allocated here:\n +"
    assert re.search(heading + OF_C.format("test_leak", 15), run.output)


def test_stack_at_the_peak(run: Run) -> None:
    """The same of what is in use at most."""
    heading = r"when the test ran again:\n    - 1\.9MiB allocated here:\n +"
    assert re.search(heading + OF_C.format("test_use", 19), run.output)


@pytest.mark.parametrize("name", ["filtered_by_c", "filtered_by_python", "lines_are_numbers"])
def test_filter_sees_every_frame(run: Run, name: str) -> None:
    """Of C, however deep, and of Python."""
    assert run[f"test_{name}"].outcome == "passed"


def test_filter_lets_through(run: Run) -> None:
    """What it does not know counts."""
    assert run["test_not_filtered"].outcome == "failed"
