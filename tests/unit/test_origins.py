"""Uninitialised values upon which only the interpreter decides, and whose they are."""

from __future__ import annotations

import argparse
from pathlib import Path

import pluggy
import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Results, Unexplained
from pytest_valgrind.findings.stack import Frame, Further, Owner
from pytest_valgrind.origins.origin_run import adapt_arguments
from pytest_valgrind.origins.origins import Origins, Request
from pytest_valgrind.settings import Settings

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
    """It is noise about uninitialised values, in the process of the tests."""
    assert finding.is_unexplained is is_unexplained


def test_whose_value_it_is() -> None:
    """It is an extension's only by the stack of its creation."""
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
        "origins of uninitialised values: 0 tests run once more; an extension created the "
        "value in none; not known of 1 test: it took more than 600 s"
    )
    assert results.noise == [NOISE]
    assert not results.judged


def test_what_is_found_is_no_noise_any_more(settings: Settings, results: Results) -> None:
    """It belongs to the test, at its place in the summary."""
    answers = {"test_it.py::test_it": [created_by(Owner.EXTENSION)]}
    Answered(settings, answers, "").settle(results, hook(), str)
    assert not results.noise
    (judged,) = results.judged
    assert judged.verdict.header == "[VALGRIND ERROR]"
    assert judged.findings[0].phase == "call"
    assert results.origins.endswith("an extension created the value in 1 test")


def test_stopped_session_is_not_prolonged(settings: Settings, results: Results) -> None:
    """The summary says so."""
    Answered(settings, {}, "").pass_over(results)
    assert "the session ended early" in results.origins


def test_settings_of_the_further_run(settings: Settings, tmp_path: Path) -> None:
    """Nothing but errors is looked for, and none of the user's files is written."""
    given = settings._replace(
        args=("--log-file=mine", "--error-limit=no"), log=tmp_path, pinpoint=True
    )
    adapted = Request(tmp_path).adapt(given)
    assert adapted.args == ("--error-limit=no", "--track-origins=yes")
    assert (adapted.log, adapted.leak_check, adapted.pinpoint) == (None, "off", False)


def test_arguments_of_the_further_run(tmp_path: Path) -> None:
    """There is one process, no coverage, and another temporary directory."""
    known = argparse.Namespace(numprocesses=2, dist="load", no_cov=False, basetemp="mine")
    arguments = ["-n2", "--basetemp=mine"]
    adapt_arguments(arguments, known, tmp_path)
    base = tmp_path / "basetemp"
    assert arguments[2:] == ["-n0", "--dist=no", "--no-cov", f"--basetemp={base}"]
    assert (known.numprocesses, known.dist, known.basetemp) == (0, "no", base)
