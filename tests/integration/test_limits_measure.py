"""What limits measure is exact to the byte, whoever asks for the memory."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable

import pytest
from conftest import build_extension
from heapcheck_runs import native_suite
from suite import Run, Suite

#: By test.
Outcomes = dict[str, str]
SMALL, LARGE = 65_536, 4_096_001
#: By who asks for a number of bytes. Names are equally long, as pytest keeps them.
MAKERS = {
    "extension": "asking.ask(size)",
    "c-threads": "asking.ask_in_threads(size // 4)",
    "py-thread": "in_thread(size)",
    "bytearray": "bytearray(size - 1)",  # it adds a byte
    "bytes-one": "bytes(size)",
    "big-int--": "1 << (size // 4 * 30 - 1)",
    "a-list---": "[None] * (size // 8)",
    "mmap-----": "mmap.mmap(-1, size).close()",
    "numpy----": "numpy.ones(size, 'u1')",
}
#: What of a number of bytes is asked for, if not just as many are.
ASKED: dict[str, Callable[[int], int]] = {
    "c-threads": lambda size: size // 4 * 4,
    "big-int--": lambda size: size // 4 * 4,
    "a-list---": lambda size: size // 8 * 8,
    # The system hands out pages.
    "mmap-----": lambda size: -(-size // 4096) * 4096,
}
EXTENSION = """
#include <Python.h>
#include <pthread.h>

enum { THREADS = 4 };

static PyObject *ask(PyObject *module, PyObject *size)
{
    (void)module;
    void *volatile made = malloc(PyLong_AsSize_t(size));
    free(made);
    Py_RETURN_NONE;
}

typedef struct {
    pthread_barrier_t all_have_asked;
    size_t size;
} shared;

static void *ask_in_thread(void *argument)
{
    shared *with = argument;
    void *volatile made = malloc(with->size);
    pthread_barrier_wait(&with->all_have_asked);
    free(made);
    return NULL;
}

static PyObject *ask_in_threads(PyObject *module, PyObject *size)
{
    (void)module;
    pthread_t threads[THREADS];
    shared with = {.size = PyLong_AsSize_t(size)};
    pthread_barrier_init(&with.all_have_asked, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, ask_in_thread, &with) != 0) {
            return PyErr_NoMemory();
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&with.all_have_asked);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"ask", ask, METH_O, NULL},
    {"ask_in_threads", ask_in_threads, METH_O, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "asking", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_asking(void)
{
    return PyModule_Create(&definition);
}
"""
SUITE = """
import json
import mmap
import os
import sys
import time
from _thread import allocate_lock, start_new_thread
from pathlib import Path

import asking
import pytest
{imports}

# Seconds: the interpreter is to go from one thread to the other where one waits.
sys.setswitchinterval(1)

# A threading.Thread is in sets, whose sizes hang on addresses.
def in_thread(size):
    def work():
        bytes(size)
        done.release()
    done = allocate_lock()
    done.acquire()
    start_new_thread(work, ())
    done.acquire()

def threads():
    return len(os.listdir("/proc/self/task"))

ALONE = threads()  # numpy has some

@pytest.fixture(autouse=True)
def thread_has_ended():
    # Else the interpreter frees what it had for it in the next test.
    yield
    while threads() > ALONE:
        time.sleep(0.001)

MAKERS = {{{makers}}}
LIMITS = Path("limits.json")

def cases():
    limits = json.loads(LIMITS.read_text()) if LIMITS.exists() else {{}}
    for name, maker in MAKERS.items():
        # The first of each fills caches.
        for which, size in (("x", {small}), ("s", {small}), ("l", {large})):
            case = f"{{name}}-{{which}}"
            marks = [pytest.mark.limit_memory(f"{{limits[case]}} B")] if case in limits else []
            yield pytest.param(maker, size, id=case, marks=marks)

@pytest.mark.parametrize(("maker", "size"), cases())
def test_of(maker, size):
    maker(size)
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Return the suite, without limits yet."""
    directory = tmp_path_factory.mktemp("measure")
    source = directory / "asking.c"
    source.write_text(EXTENSION)
    build_extension(source, directory, "-g")
    has_numpy = importlib.util.find_spec("numpy") is not None
    makers = {name: maker for name, maker in MAKERS.items() if has_numpy or "numpy" not in name}
    text = SUITE.format(
        imports="import numpy" if has_numpy else "",
        makers=", ".join(f"'{name}': lambda size: {maker}" for name, maker in makers.items()),
        small=SMALL,
        large=LARGE,
    )
    return native_suite(directory, directory, {"test_use.py": text})


def run(suite: Suite, *options: str) -> Run:
    """Run it as always: hashes decide how large some dicts are."""
    return suite.run("-p", "cacheprovider", *options, environment={"PYTHONHASHSEED": "0"})


@pytest.fixture(scope="module")
def used(suite: Suite) -> dict[str, int]:
    """Return what the tests use at most, by the names of their cases."""
    assert run(suite, "--limit-memory=1GB").code == pytest.ExitCode.OK
    file = suite.directory / ".pytest_cache" / "d" / "limit_memory" / "used.jsonl"
    found = dict(map(json.loads, file.read_text().splitlines()))
    return {nodeid.partition("[")[2][:-1]: used for nodeid, used in found.items()}


@pytest.fixture(scope="module")
def judged(suite: Suite, used: dict[str, int]) -> dict[str, Outcomes]:
    """Return the outcomes with limits of just what the tests use, and of a byte more."""
    runs: dict[str, Outcomes] = {}
    for name, more in (("as-much", 0), ("one-more", 1)):
        # The others have limits so that they are measured in the same way.
        limits = {case: use + more if case.endswith("l") else 2 * use for case, use in used.items()}
        (suite.directory / "limits.json").write_text(json.dumps(limits))
        runs[name] = {
            test: case.outcome for test, case in run(suite, "--limit-markers").cases.items()
        }
    return runs


@pytest.fixture
def name(request: pytest.FixtureRequest, used: dict[str, int]) -> str:
    """Return the name of a maker that is there."""
    name: str = request.param
    if f"{name}-s" not in used:
        pytest.skip("numpy is not installed")
    return name


@pytest.mark.parametrize("name", MAKERS, indirect=True)
def test_measure_is_exact(used: dict[str, int], name: str) -> None:
    """Tests that differ by the bytes that they ask for differ by just as many."""
    asked = ASKED.get(name, int)
    assert used[f"{name}-l"] - used[f"{name}-s"] == asked(LARGE) - asked(SMALL)


@pytest.mark.parametrize("name", MAKERS, indirect=True)
def test_limit_is_exact(judged: dict[str, Outcomes], name: str) -> None:
    """A test fails that uses as much as its limit, and passes if that is a byte more."""
    case = f"test_of[{name}-l]"
    assert (judged["as-much"][case], judged["one-more"][case]) == ("failed", "passed")


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "py-thread"], indirect=True)
def test_call_of_pytest_is_little(used: dict[str, int], name: str) -> None:
    """It is there in each test, and less than 4 KB."""
    assert SMALL <= used[f"{name}-s"] < SMALL + 4096
