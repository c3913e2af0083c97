"""Plants defects in the C source of bitarray, one at a time, and checks that each is found.

    python evaluation/bitarray_defects.py --work /tmp/evaluation [INTERPRETER...]

For each interpreter, bitarray's sdist is downloaded and compiled as it is and once with each
defect. Always the same small suite runs under ``pytest --valgrind``: of its tests, exactly those
that reach the defect must fail, with the right header and the name of the C function; or, where a
reference to a container is lost, with the object and, by ``--valgrind-pinpoint``, the line of the
test. Other tests must not fail.

Prints a Markdown table. The exit code is 1 if anything is not as it should be. The output of every
run stays in the directory ``--work``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from environments import (
    PYENV,
    BuildError,
    Environment,
    Run,
    available,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_suite,
    say,
)

HEAD = (
    "interpreter",
    "defect",
    "function or object",
    "expected",
    "found",
    "header",
    "verdict",
    "seconds",
)
#: Unless told otherwise.
INTERPRETERS = (
    "/usr/bin/python3.11",
    str(PYENV / "3.13.0/bin/python"),
    "/usr/bin/python3.11-dbg",
)
PACKAGE = "bitarray"
VERSION = "3.12.3"
FLAGS = "-g -O1"
ERROR = "[VALGRIND ERROR]"
LEAK = "[VALGRIND LEAK]"
OK = "ok"

# Whole bytes where bits are moved: bitarray leaves the rest of the last byte unwritten and moves it
# along, of which memcheck complains (see docs/found.md).
SUITE = """\
from bitarray import bitarray, decodetree
from bitarray.util import ba2hex, canonical_decode, hex2ba

CODE = {"first symbol": bitarray("01010101"), "second symbol": bitarray("10101010")}


def symbols():
    for word in ("first", "second", "first"):
        yield f"{word} symbol"


def test_repr():
    assert repr(bitarray("0110")) == "bitarray('0110')"


def test_str_of_many_bits():
    assert len(str(bitarray(1000))) == 1012


def test_repr_of_none():
    assert repr(bitarray()) == "bitarray()"


def test_to01():
    assert bitarray("0110").to01() == "0110"


def test_to01_in_groups():
    assert bitarray("01100").to01(group=2, sep="-") == "01-10-0"


def test_hex():
    assert ba2hex(bitarray("11110101")) == "f5"


def test_hex_both_ways():
    assert ba2hex(hex2ba("c0ffee" * 20)) == "c0ffee" * 20


def test_from_hex():
    assert hex2ba("f5") == bitarray("11110101")


def test_encode():
    bits = bitarray()
    bits.encode(CODE, symbols())
    assert bits == bitarray("01010101" "10101010" "01010101")


def test_encode_and_decode():
    bits = bitarray()
    bits.encode(CODE, symbols())
    assert list(bits.decode(decodetree(CODE))) == list(symbols())


def test_decode():
    assert list(bitarray("1010101001010101").decode(CODE)) == ["second symbol", "first symbol"]


def test_extend_and_count():
    bits = bitarray("01")
    bits.extend([1, 0, 1])
    assert bits.count() == 3


def test_sort_and_reverse():
    bits = bitarray("01011101")
    bits.sort()
    bits.reverse()
    assert bits == bitarray("11111000")


def test_search():
    assert list(bitarray("0110110").search(bitarray("11"))) == [1, 4]


class Named(bitarray):
    pass


def test_reduce():
    bits = Named("01010101")
    bits.name = "some name"
    state = bits.__reduce__()[2]
    assert state == {"name": "some name"}


def test_canonical_decode():
    bits = bitarray("01010101")
    words = list(canonical_decode(bits, [0, 2], ["first", "second"]))
    assert words == ["first", "second"] * 4


def test_bytes():
    assert bitarray("01000001").tobytes() == b"A"
"""


@dataclass(frozen=True)
class Defect:
    """A change of the source."""

    name: str
    file: str
    function: str  #: which the failures should name
    old: str  #: occurs once in the file
    new: str
    header: str
    reached_by: frozenset[str]
    object: str = ""  #: that was lost, as the failures should describe it
    line: str = ""  #: of the suite, that the failures should show

    def plant(self, source: Path) -> None:
        """Make the change.

        :raises BuildError: if the text to change is not there, or not once.
        """
        path = source / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise BuildError(
                f"{self.name}: {path} has the text to change {text.count(self.old)} times."
            )
        path.write_text(text.replace(self.old, self.new))


NO_DEFECT = Defect("none", "", "", "", "", "", frozenset())
DEFECTS = (
    Defect(
        name="missing free",
        file="bitarray/_bitarray.c",
        function="repr_lock_held",
        old="""\
    /* we know the string length beforehand - not null-terminated */
    res = PyUnicode_FromStringAndSize(str, strsize);
    PyMem_Free((void *) str);
""",
        new="""\
    res = PyUnicode_FromStringAndSize(str, strsize);
""",
        header=LEAK,
        reached_by=frozenset({"test_repr", "test_str_of_many_bits"}),
    ),
    Defect(
        name="read after free",
        file="bitarray/_util.c",
        function="ba2hex",
        old="""\
                     "multiple of 4", nbits);
        return NULL;
    }
    if (str == NULL)
        return NULL;

    res = PyUnicode_FromString(str);
    PyMem_Free((void *) str);
""",
        new="""\
                     "multiple of 4", nbits);
        return NULL;
    }
    if (str == NULL)
        return NULL;

    PyMem_Free((void *) str);
    res = PyUnicode_FromString(str);
""",
        header=ERROR,
        reached_by=frozenset({"test_hex", "test_hex_both_ways"}),
    ),
    Defect(
        name="write past the end",
        file="bitarray/_bitarray.c",
        function="to01_lock_held",
        old="""\
    assert(j == strsize);

    res = PyUnicode_FromStringAndSize(str, strsize);
""",
        new="""\
    assert(j == strsize);
    str[strsize] = 0;

    res = PyUnicode_FromStringAndSize(str, strsize);
""",
        header=ERROR,
        reached_by=frozenset({"test_to01", "test_to01_in_groups"}),
    ),
    Defect(
        name="missing Py_DECREF of a str",
        file="bitarray/_bitarray.c",
        function="bitarray_encode",
        old="""\
        Py_DECREF(symbol);
        Py_DECREF(value);
    }
    Py_DECREF(iter);
    if (PyErr_Occurred())       /* from PyIter_Next() */
        return NULL;
    Py_RETURN_NONE;
""",
        new="""\
        Py_DECREF(value);
    }
    Py_DECREF(iter);
    if (PyErr_Occurred())       /* from PyIter_Next() */
        return NULL;
    Py_RETURN_NONE;
""",
        header=LEAK,
        reached_by=frozenset({"test_encode", "test_encode_and_decode"}),
    ),
    Defect(
        name="missing Py_DECREF of a dict",
        file="bitarray/_bitarray.c",
        function="",  # the dict is made by the interpreter
        old="""\
                        self->readonly, dict);
    Py_DECREF(dict);
""",
        new="""\
                        self->readonly, dict);
""",
        header=LEAK,
        reached_by=frozenset({"test_reduce"}),
        object="dict: {'name': 'some name'}",
        line="state = bits.__reduce__()[2]",
    ),
    Defect(
        name="missing Py_DECREF of a list",
        file="bitarray/_util.c",
        function="",  # the list is the test's
        old="""\
    Py_XDECREF(it->array);
    Py_XDECREF(it->symbol);
""",
        new="""\
    Py_XDECREF(it->array);
""",
        header=LEAK,
        reached_by=frozenset({"test_canonical_decode"}),
        object="list: ['first', 'second']",
        line='words = list(canonical_decode(bits, [0, 2], ["first", "second"]))',
    ),
)


def main() -> int:
    """Plant and look for every defect, and return the exit code."""
    options = _options()
    work = options.work.resolve() / "planted"
    work.mkdir(parents=True, exist_ok=True)
    rows = [
        row
        for interpreter in available(options.interpreters)
        for row in _rows(interpreter, work, options.timeout)
    ]
    print(markdown(HEAD, rows))
    return int(not rows or any(row[HEAD.index("verdict")] != OK for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("interpreters", nargs="*", default=INTERPRETERS)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-evaluation"))
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="of a run")
    return parser.parse_args()


def _rows(interpreter: str, work: Path, seconds: float) -> list[list[object]]:
    """Return the rows of the table for an interpreter."""
    name = label(interpreter)
    environment = make_environment(work / "environment", interpreter)
    environment.install_plugin(build_plugin(environment, work))
    pristine = environment.download_source(PACKAGE, VERSION, work)
    rows = []
    for number, defect in enumerate((NO_DEFECT, *DEFECTS)):
        say(f"{name}: {defect.name}")
        _build(environment, pristine, defect, work)
        directory = work / f"suite-{Path(interpreter).name}-{name.split()[0]}-{number}"
        run = _run(environment, directory, seconds, pinpoint=bool(defect.line))
        rows.append([name, *_judged(defect, run)])
    return rows


def _build(environment: Environment, pristine: Path, defect: Defect, work: Path) -> None:
    source = work / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(pristine, source)
    if defect is not NO_DEFECT:
        defect.plant(source)
    environment.install_from_source(source, FLAGS)


def _run(environment: Environment, directory: Path, seconds: float, *, pinpoint: bool) -> Run:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "test_planted.py").write_text(SUITE)
    words = ["test_planted.py", *(["--valgrind-pinpoint"] if pinpoint else [])]
    return run_suite(environment, directory, words, seconds=seconds)


def _judged(defect: Defect, run: Run) -> list[object]:
    """Return the row of a run, but for the interpreter."""
    found = {test.function for test in run.failed_by_valgrind}
    headers = {test.header for test in run.failed_by_valgrind}
    return [
        defect.name,
        defect.function or defect.object,
        _names(defect.reached_by),
        _names(found) if run.completed else f"(died, exit code {run.code})",
        ", ".join(sorted(headers)),
        _verdict(defect, run),
        run.seconds,
    ]


def _verdict(defect: Defect, run: Run) -> str:
    if not run.completed:
        return "DIED"
    failed = run.failed_by_valgrind
    found = {test.function for test in failed}
    problems = {
        "WRONG": found - defect.reached_by,
        "MISSED": defect.reached_by - found,
        "OTHER HEADER": {test.function for test in failed if test.header != defect.header},
        "NOT NAMED": {test.function for test in failed if defect.function not in test.text},
        "OBJECT NOT NAMED": {test.function for test in failed if defect.object not in test.text},
        "LINE NOT NAMED": {test.function for test in failed if defect.line not in test.text},
        "OTHER FAILURE": {test.function for test in run.failed_otherwise},
    }
    return "; ".join(f"{word}: {_names(tests)}" for word, tests in problems.items() if tests) or OK


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


if __name__ == "__main__":
    sys.exit(main())
