"""The suites that ``bench.py`` and ``workers.py`` measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A package whose own tests are in its sdist."""

    name: str
    version: str
    #: Folder of the package's own modules, which must not be imported instead of the compiled ones.
    modules: str


@dataclass(frozen=True)
class Suite:
    """Tests to run."""

    name: str
    title: str
    #: The text of the only module, for so many tests; or the package whose own tests these are.
    tests: Callable[[int], str] | Package
    #: What the suite needs from PyPI.
    requirements: tuple[str, ...] = ()
    #: More words of pytest's command line.
    words: tuple[str, ...] = ()
    #: What 0.2.0 would take, if that is too long to wait for: some four seconds a test, reckoned
    #: from how far it came in 150 or 300 seconds.
    former_minutes: int = 0
    #: Whether it takes minutes natively, and runs only where it is asked for.
    takes_long: bool = False


def _trivial(tests: int) -> str:
    return "\n\n".join(_trivial_test(number) for number in range(tests))


def _trivial_test(number: int) -> str:
    return f"def test_{number}() -> None:\n    assert {number} + 1 == {number + 1}\n"


def _numpy(tests: int) -> str:
    return f"import numpy\n\n\n{_trivial(tests)}"


def _leaky(tests: int) -> str:
    # The name is the same in 0.2.0.
    head = "from pytest_valgrind.valgrind import create_leak\n\n\n"
    return head + "\n\n".join(
        f"def test_{number}() -> None:\n    create_leak()\n"
        if number % 10 == 9
        else _trivial_test(number)
        for number in range(tests)
    )


def _small(tests: int) -> str:
    # A millisecond or two natively, of bytecode and of C; a twentieth of a second under valgrind.
    head = "import json\n\nDATA = {str(n): [n, {'half': n / 2}] for n in range(100)}\n\n\n"
    return head + "\n\n".join(
        f"def test_{number}() -> None:\n"
        f"    data = dict(DATA, extra={number})\n"
        "    assert json.loads(json.dumps(data, indent=1)) == data\n"
        for number in range(tests)
    )


def _mixed(tests: int) -> str:
    # Every tenth test has a defect, each of three kinds in turn.
    head = "import ctypes\n\nC = ctypes.CDLL(None)\nC.malloc.restype = ctypes.c_void_p\n\n\n"
    defects = (
        "    C.malloc(10)\n",
        "    ctypes.pythonapi.Py_IncRef(ctypes.py_object([0]))\n",
        "    block = ctypes.c_void_p(C.malloc(10))\n"
        "    C.memset(block, 0, 11)\n"
        "    C.free(block)\n",
    )
    return head + "\n\n".join(
        f"def test_{number}() -> None:\n{defects[number // 10 % 3]}"
        if number % 10 == 9
        else _trivial_test(number)
        for number in range(tests)
    )


def _none(tests: int) -> str:  # noqa: ARG001
    return ""


def _heap(tests: int) -> str:
    # With PYTHONMALLOC=malloc each is a block, as no two are the same object.
    return f'BLOCKS = [b"%d" % number for number in range(1_000_000)]\n\n\n{_trivial(tests)}'


SUITES = {
    suite.name: suite
    for suite in (
        Suite("trivial", "tests of under 1 ms", _trivial),
        Suite("numpy", "tests of under 1 ms, numpy imported", _numpy, requirements=("numpy",)),
        Suite(
            "markupsafe",
            "all of its own tests, built with -g",
            Package("markupsafe", "3.0.4", modules="src"),
            words=("-o", "addopts=", "tests"),
            former_minutes=6,
        ),
        Suite(
            "multidict",
            "eight modules of its own tests, of which 14 leak, on the C extension, built with -g",
            Package("multidict", "6.7.1", modules="multidict"),
            words=(
                *("-o", "addopts=", "--c-extensions"),
                *(f"tests/test_{name}.py" for name in ("multidict", "mutable_multidict", "update")),
                *(f"tests/test_{name}.py" for name in ("istr", "copy", "abc", "pickle", "types")),
            ),
            former_minutes=78,
        ),
        Suite(
            "numpy-linalg",
            "numpy.linalg's own tests",
            _none,
            requirements=("numpy", "hypothesis"),
            words=("--pyargs", "numpy.linalg"),
        ),
        Suite(
            "numpy-core",
            "numpy's tests of arrays and types",
            _none,
            requirements=("numpy", "hypothesis"),
            words=("--pyargs", "numpy._core"),
            takes_long=True,
        ),
        Suite("leaky", "tests of under 1 ms, of which every tenth leaks", _leaky),
        Suite("heap", "tests of under 1 ms, a million blocks live", _heap),
    )
}

#: Those of ``workers.py``.
SUITES_FOR_WORKERS = {
    suite.name: suite
    for suite in (
        Suite(
            "multidict-whole",
            "its own tests on the C extension, but for those that start processes or race threads "
            "against each other for minutes, look for leaks or measure, built with -g",
            Package("multidict", "7.2.1", modules="multidict"),
            requirements=("hypothesis",),
            words=(
                *("-o", "addopts=", "-m", "not pure_python and not hypothesis"),
                *("--ignore-glob=*benchmark*", "--ignore=tests/test_leaks.py"),
                *("--ignore=tests/test_callgrind_driver.py", "--ignore=tests/test_mypy.py"),
                *(
                    "--ignore=tests/test_circular_imports.py",
                    "--ignore=tests/test_free_threading.py",
                ),
                *("-k", "not thread and not from_a_collection", "tests"),
            ),
        ),
        SUITES["trivial"],
        Suite("small", "tests of about 1 ms", _small),
        Suite("mixed", "tests of under 1 ms, of which every tenth has a defect", _mixed),
    )
}
