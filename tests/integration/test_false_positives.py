"""What fails a test and what is only listed; suppressions; valgrind's limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import HERE, INI, build_extension
from suite import Run, Suite

TESTS = """
import ctypes

import defective
import pytest

class Kept:
    pass

def test_leak():
    defective.leak(21)

def test_same_leak():
    defective.leak(22)

def test_error():
    defective.read_past_end()

def test_leaked_object():
    defective.leak_reference(str(10**40))

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.free.argtypes = [ctypes.c_void_p]

def read(address):
    assert ctypes.c_int.from_address(address).value != 42
    LIBC.free(address)

def test_interpreter_only():
    read(LIBC.malloc(4))

def test_handed_over():
    read(defective.unwritten())

@pytest.mark.valgrind_known_error(reason="to be marked")
def test_known():
    defective.write_after_free()
"""


# The way through the interpreter depends upon what nobody has written.
SAME = "--valgrind-args=--malloc-fill=00"
# No further run: tests/integration/test_origin_run.py is about that.
ALONE = "--valgrind-no-origins"


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Suite:
    """Return the suite."""
    made = Suite(tmp_path_factory.mktemp("trust"), extension)
    made.write("pytest.ini", INI)
    made.write("test_it.py", TESTS)
    return made


@pytest.fixture(scope="module")
def first(trust: Suite) -> Run:
    """Return a run that writes suppressions."""
    return trust.run("--valgrind", SAME, ALONE, "--valgrind-gen-suppressions=new.supp")


@pytest.fixture(scope="module")
def second(trust: Suite, first: Run) -> Run:
    """Return a run with these and with one that is not needed."""
    assert first.code == pytest.ExitCode.TESTS_FAILED
    trust.write("old.supp", "{\n   not needed\n   Memcheck:Cond\n   fun:nobody\n}\n")
    return trust.run(
        *("--valgrind", SAME, ALONE),
        *("--valgrind-suppressions=new.supp", "--valgrind-suppressions=old.supp"),
    )


@pytest.fixture(scope="module")
def only(trust: Suite) -> Run:
    """Return a run for which other code is meant."""
    return trust.run("--valgrind", ALONE, "--valgrind-only=mine/*.so")


@pytest.fixture(scope="module")
def everything(trust: Suite) -> Run:
    """Return a run in which every error counts, with its origin."""
    return trust.run(
        *("--valgrind", "-v", "--valgrind-all-errors", "--valgrind-args=--track-origins=yes")
    )


@pytest.fixture(scope="module")
def origins(trust: Suite) -> Run:
    """Return a run with origins, of one test: of two errors in the same place the first counts."""
    return trust.run("--valgrind", "--valgrind-args=--track-origins=yes", "-k", "handed_over")


def line_of(run: Run, words: str) -> str:
    """Return the line of the summary that starts so."""
    (line,) = (line for line in run.summary if line.startswith(words))
    return line


def test_interpreter_only_fails_nothing(first: Run) -> None:
    """It is listed in the summary."""
    assert first["test_interpreter_only"].outcome == "passed"
    assert line_of(first, "interpreter only")
    assert any("uninitialised value: PyLong_FromLong" in line for line in first.summary)


@pytest.mark.slow
def test_origin_is_a_frame(origins: Run) -> None:
    """A value that an extension left unwritten counts, wherever it is used."""
    case = origins["test_handed_over"]
    assert case.outcome == "failed"
    assert "Uninitialised value was created by a heap allocation" in case.text
    assert "unwritten (defective.c" in case.text


@pytest.mark.slow
def test_all_errors(everything: Run) -> None:
    """Those of the interpreter itself fail the test, and nothing is suppressed."""
    assert everything["test_interpreter_only"].text.startswith("[VALGRIND ERROR]")
    assert "PyLong_FromLong" in everything["test_interpreter_only"].text
    assert not any(line.startswith("interpreter only") for line in everything.summary)
    assert "for interpreter errors" not in everything.output


def test_other_code_fails_nothing(only: Run) -> None:
    """It is listed, and a marker can make it known."""
    for name in ("test_leak", "test_error", "test_known"):
        assert only[name].outcome == "passed"
    assert "2 errors, 2 leaks (43 bytes in 2 blocks)" in line_of(only, "outside --memory-only")
    assert any("read_past_end (defective.c:" in line for line in only.summary)


def test_object_may_be_lost_by_anybody(only: Run) -> None:
    """It counts, whoever allocated it."""
    assert only["test_leaked_object"].text.startswith("[VALGRIND LEAK]")


def test_suppressions_are_distinct_and_named(first: Run, trust: Suite) -> None:
    """Each is named after its first test and its kind; known findings have none."""
    assert any(f"written to {trust.directory / 'new.supp'}" in line for line in first.summary)
    text = (trust.directory / "new.supp").read_text()
    names = [line.strip() for line in text.splitlines() if line.startswith("   test_it.py")]
    assert names == [
        "test_it.py::test_leak: definitely lost",
        "test_it.py::test_error: invalid read",
        "test_it.py::test_leaked_object: definitely lost",
    ]
    assert "#     leak (defective.c:" in text


def test_run_with_suppressions_is_clean(second: Run) -> None:
    """Nothing is found but what the marker knows."""
    assert "6 passed, 1 xfailed" in second.totals
    assert not any(line.startswith("interpreter only") for line in second.summary)


def test_unused_suppression_is_listed(second: Run, trust: Suite) -> None:
    """File and line say where it is; those in use are not listed."""
    lines = [line for line in second.summary if "unused suppression" in line]
    assert f"{trust.directory / 'old.supp'}:2: unused suppression: not needed" in lines
    assert not any("unused suppression: test_it.py" in line for line in lines)


def test_each_process_has_its_own_log(first: Run) -> None:
    """What several write into one log would be mixed; the log of a clone is not left behind."""
    log = Path(line_of(first, "log: ").removeprefix("log: "))
    assert log.is_file()
    assert [path for path in log.parent.iterdir() if path.suffix == ".log"] == [log]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Return a suite with a thousand errors in a test."""
    directory = tmp_path_factory.mktemp("many")
    build_extension(HERE / "extensions" / "many.c", directory, "-O0")
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.write("test_it.py", "import many\ndef test_it(): many.err_a_thousand_times()\n")
    return made


@pytest.mark.slow
def test_limit_of_errors_is_told(many: Suite) -> None:
    """It cannot be lifted in a command line of 0.x."""
    run = many.run(
        *("--valgrind", "--no-memcheck"),
        before=["valgrind", f"--log-file={many.directory / 'log'}"],
        environment={"PYTHONMALLOC": "malloc"},
    )
    assert run["test_it"].text.startswith("[VALGRIND ERROR]")
    assert "has looked for none since" in "\n".join(run.summary)
    assert "--error-limit=no" in "\n".join(run.summary)


@pytest.mark.slow
def test_launcher_lifts_the_limit(many: Suite) -> None:
    """All errors are found; the limit of a hundred for whole stacks is mentioned."""
    run = many.run("--valgrind", "--no-memcheck")
    assert "1,000 errors" in "\n".join(run.summary)
    assert "has looked for none since" not in "\n".join(run.summary)
    assert "100 different errors" in "\n".join(run.summary)


@pytest.mark.parametrize("reason", ["no directory", "a directory of this name", "be overwritten"])
def test_file_that_cannot_be_written(trust: Suite, reason: str) -> None:
    """It is a usage error, before anything is run."""
    name = {"no directory": "nowhere/x", "a directory of this name": "."}.get(reason, "x.supp")
    trust.write("x.supp", "")
    options = [f"--valgrind-gen-suppressions={name}", "--valgrind-suppressions=x.supp"]
    run = trust.run("--valgrind", *options)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert reason in run.errors
