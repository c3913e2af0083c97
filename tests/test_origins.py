"""Uninitialised values upon which only the interpreter decides, and whose they are."""

from __future__ import annotations

import argparse
from pathlib import Path

import pluggy
import pytest
from conftest import HERE, INI, build_extension
from suite import Run, Suite

from pytest_valgrind.findings.finding import Finding, Frame, Further, Kind, Owner
from pytest_valgrind.findings.results import Results, Unexplained
from pytest_valgrind.origins.origin_run import adapt_arguments
from pytest_valgrind.origins.origins import Origins, Request
from pytest_valgrind.settings import Settings

TESTS = """
import ctypes

import flaws
import pytest

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.free.argtypes = [ctypes.c_void_p]

def decide_upon_the_interpreters_own():
    address = LIBC.malloc(8)
    assert ctypes.c_double.from_address(address).value != 42.0
    LIBC.free(address)

def test_files(tmp_path):
    (tmp_path / "file").touch()

def test_clean():
    pass

def test_own():
    decide_upon_the_interpreters_own()

def test_handed_over():
    assert flaws.make_float_of_uninitialised() != 42.0

@pytest.mark.valgrind_known_error(reason="known")
def test_known():
    assert flaws.make_float_of_uninitialised() != 42.0

@pytest.mark.valgrind_known_error
def test_marked_for_nothing():
    decide_upon_the_interpreters_own()

def test_leak_as_well():
    flaws.lose_block()
    assert flaws.make_float_of_uninitialised() != 42.0

def test_error_of_its_own():
    flaws.decide_uninitialised()
"""
AT_IMPORT = """
import flaws

# Not by a comparison: the errors of the tests would be repeated ones.
if flaws.make_float_of_uninitialised():
    pass

def test_nothing():
    pass
"""
#: The machine may be busy.
PATIENCE = 1500
OPTIONS = ("--valgrind", "--valgrind-origins-seconds=1000")


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Return a suite in which the same decision is made upon values of several origins."""
    extension = tmp_path_factory.mktemp("flaws")
    flags = ("-g", "-Wl,--no-as-needed", "-l:libstdc++.so.6")
    build_extension(HERE / "native" / "flaws.c", extension, *flags)
    made = Suite(tmp_path_factory.mktemp("origins"), extension)
    made.write("pytest.ini", INI)
    made.write("test_import.py", AT_IMPORT)
    made.write("test_it.py", TESTS)
    return made


@pytest.fixture(scope="module")
def run(origins: Suite) -> Run:
    """Return a run with options that must not be obeyed twice."""
    return origins.run(*OPTIONS, "--basetemp=base", "--maxfail=50", patience=PATIENCE)


def test_value_that_was_handed_over_fails_the_test(run: Run) -> None:
    """With the stack of the decision, and that of where the value was created."""
    for name in ("test_handed_over", "test_leak_as_well"):
        case = run[name]
        assert case.outcome == "failed"
        assert case.text.startswith("[VALGRIND ERROR]")
        assert "Conditional jump or move depends on uninitialised value(s)" in case.text
        assert "Uninitialised value was created by a heap allocation" in case.text
        assert "  > make_float_of_uninitialised (flaws.c:" in case.text
        assert f"  in {name} (test_it.py:" in case.text


def test_same_decision_upon_a_value_of_the_interpreters_fails_nothing(run: Run) -> None:
    """Though valgrind takes the two for one error; and it stays in the summary."""
    assert run["test_own"].outcome == "passed"
    assert run["test_clean"].outcome == "passed"
    (line,) = [line for line in run.summary if line.startswith("interpreter only: ")]
    assert line == "interpreter only: 2 errors"


def test_marker_knows_it(run: Run) -> None:
    """An expected failure; where the value is the interpreter's, the marker is unused."""
    assert run["test_known"].outcome == "skipped"
    assert "[VALGRIND ERROR]" in run["test_known"].message
    unused = [line for line in run.summary if line.startswith("test_it.py::test_marked_for")]
    assert len(unused) == 1
    assert not any(line.startswith("test_it.py::test_known: the") for line in run.summary)


def test_import_that_hands_it_over(run: Run) -> None:
    """An error of the module."""
    assert "created by a heap allocation" in run["test_import"].text
    assert any("(import)" in line and "test_import.py" in line for line in run.summary)


def test_it_is_said(run: Run) -> None:
    """While the user waits, and in the summary."""
    assert "valgrind: 5 tests once more with --track-origins=yes" in run.output
    (line,) = [line for line in run.summary if "once more" in line]
    assert line == (
        "origins of uninitialised values: 5 tests run once more, an extension's in 3 tests and "
        "1 import"
    )


def test_nothing_is_written_twice(run: Run, origins: Suite) -> None:
    """The XML is that of the first run, and its temporary files are still there."""
    assert {"test_clean", "test_error_of_its_own", "test_nothing"} <= {*run.cases}
    assert (origins.directory / "base" / "test_files0" / "file").exists()


NOISE = Finding(
    Kind.UNINITIALISED,
    "Conditional jump or move depends on uninitialised value(s)",
    (Frame(1, "float_richcompare", owner=Owner.INTERPRETER),),
    phase="call",
)
CREATED = "Uninitialised value was created by a heap allocation"
LOCATION = ("test_it.py", 1, "test_it")


def created_by(owner: Owner) -> Finding:
    """Return the same with where its value is from."""
    frames = (Frame(2, "malloc", owner=Owner.VALGRIND), Frame(3, "make", owner=owner))
    return Finding(NOISE.kind, NOISE.message, NOISE.stack, (Further(CREATED, frames),))


@pytest.mark.parametrize(
    ("finding", "is_unexplained"),
    [
        (NOISE, True),
        (
            Finding(Kind.SYSCALL, "Syscall param write(buf) points to uninitialised", NOISE.stack),
            True,
        ),
        (Finding(Kind.SYSCALL, "Syscall param write(buf) is unaddressable", NOISE.stack), False),
        (Finding(Kind.INVALID_READ, "Invalid read of size 1", NOISE.stack), False),
        (Finding(NOISE.kind, NOISE.message, (Frame(1, "f", owner=Owner.EXTENSION),)), False),
        (Finding(NOISE.kind, NOISE.message, NOISE.stack, process="7 (a fork)"), False),
    ],
)
def test_what_is_unexplained(finding: Finding, is_unexplained: bool) -> None:
    """Noise that is about uninitialised values, in the process of the tests."""
    assert finding.is_unexplained is is_unexplained


def test_whose_value_it_is() -> None:
    """An extension's, by the stack of its creation only."""
    assert created_by(Owner.EXTENSION).is_handed_over
    assert not created_by(Owner.INTERPRETER).is_handed_over
    assert not created_by(Owner.LIBRARY).is_handed_over
    assert not NOISE.is_handed_over


class Answered(Origins):
    """A further run that has come to its end, or not."""

    def __init__(self, settings: Settings, answers: dict[str, list[Finding]], failure: str) -> None:
        super().__init__(settings, {})
        self._answers = answers
        self._failure = failure

    def _run(self, request: Request) -> str:
        for nodeid, findings in self._answers.items():
            request.found(nodeid, findings)
        return self._failure


@pytest.fixture
def results() -> Results:
    """Return those of a run with a test in case."""
    made = Results()
    made.noise.append(NOISE)
    made.unexplained.append(Unexplained("test_it.py::test_it", (NOISE,), LOCATION))
    return made


def hook() -> pluggy.HookRelay:
    """Return hooks of which nobody takes note."""
    return pytest.PytestPluginManager().hook


def test_run_that_comes_to_no_end_fails_nothing(settings: Settings, results: Results) -> None:
    """It is said in the summary, which keeps the noise."""
    said: list[str] = []
    Answered(settings, {}, "it took more than 600 s").settle(results, hook(), said.append)
    assert said == [
        "valgrind: 1 test once more with --track-origins=yes, to see where uninitialised values "
        "are from (up to 600 s)"
    ]
    assert results.origins == (
        "origins of uninitialised values: 0 tests run once more, an extension's in none; not "
        "known of 1 test: it took more than 600 s"
    )
    assert results.noise == [NOISE]
    assert not results.judged


def test_what_is_found_is_no_noise_any_more(settings: Settings, results: Results) -> None:
    """It is the test's, at the time when it was in case."""
    answers = {"test_it.py::test_it": [created_by(Owner.EXTENSION)]}
    Answered(settings, answers, "").settle(results, hook(), str)
    assert not results.noise
    (judged,) = results.judged
    assert judged.verdict.header == "[VALGRIND ERROR]"
    assert judged.findings[0].phase == "call"
    assert results.origins.endswith("1 test run once more, an extension's in 1 test")


def test_stopped_session_is_not_prolonged(settings: Settings, results: Results) -> None:
    """The summary says so."""
    Answered(settings, {}, "").pass_over(results)
    assert "the session ended early" in results.origins


def test_settings_of_the_further_run(settings: Settings, tmp_path: Path) -> None:
    """Nothing but errors is looked for, and no file of the user's is written."""
    given = settings._replace(
        args=("--log-file=mine", "--error-limit=no"), log=tmp_path, pinpoint=True
    )
    adapted = Request(tmp_path).adapt(given)
    assert adapted.args == ("--error-limit=no", "--track-origins=yes")
    assert (adapted.log, adapted.leak_check, adapted.pinpoint) == (None, "off", False)


def test_arguments_of_the_further_run(tmp_path: Path) -> None:
    """One process, no coverage, and other temporary files."""
    known = argparse.Namespace(numprocesses=2, dist="load", no_cov=False, basetemp="mine")
    arguments = ["-n2", "--basetemp=mine"]
    adapt_arguments(arguments, known, tmp_path)
    base = tmp_path / "basetemp"
    assert arguments[2:] == ["-n0", "--dist=no", "--no-cov", f"--basetemp={base}"]
    assert (known.numprocesses, known.dist, known.basetemp) == (0, "no", base)
