"""Verdicts put into reports, and findings into words."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Results
from pytest_valgrind.findings.stack import Caller, Frame, Further, Owner, PythonLine
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.reporting.attributes import add_problem
from pytest_valgrind.reporting.paragraphs import text
from pytest_valgrind.reporting.reports import give
from pytest_valgrind.reporting.terminal import summary, weaknesses
from pytest_valgrind.reporting.text import one_line, rendered, stack_lines

EXTENSION = Frame(1, "work", "ext.c", 7, owner=Owner.EXTENSION)
LEAK = Finding(Kind.DEFINITE, "lost", (EXTENSION,), bytes=1234, blocks=1, raw="== lost")
ERROR = Finding(Kind.INVALID_READ, "Invalid read of size 1", (EXTENSION,), count=3, phase="setup")

FAILED = Verdict(Outcome.FAILED, "[VALGRIND LEAK]")
KNOWN = Verdict(Outcome.KNOWN, "[VALGRIND LEAK]", "known since May")
CLEAN = Verdict(Outcome.CLEAN)

When = Literal["setup", "call", "teardown"]
Result = Literal["passed", "failed", "skipped"]


def report(when: When, outcome: Result, longrepr: str | None = None) -> pytest.TestReport:
    """Return a report of a phase."""
    location = ("test_it.py", 4, "test_it")
    return pytest.TestReport("test_it.py::test_it", location, {}, outcome, longrepr, when)


def given(
    verdict: Verdict, *, outcome: Result = "passed", xfail_failures: bool = True
) -> list[pytest.TestReport]:
    """Return the reports of a test with a verdict."""
    own = "its own words" if outcome == "failed" else None
    reports = [
        report("setup", "passed"),
        report("call", outcome, own),
        report("teardown", "passed"),
    ]
    findings = [] if verdict is CLEAN else [LEAK]
    give(verdict, findings, reports, xfail_failures=xfail_failures)
    return reports


def test_failure() -> None:
    """The call fails, with header, words and excerpt."""
    _, call, _ = given(FAILED)
    text = str(call.longrepr)
    assert call.failed
    assert text.startswith("[VALGRIND LEAK]\n\n1,234 bytes in 1 block is definitely lost\n  > work")
    assert "== lost" in text


def test_many_findings() -> None:
    """The first are in full, the others in a line each, and one line does not have them all."""
    many = [replace(LEAK, bytes=size) for size in range(1, 51)]
    shown = text(FAILED, many)
    assert shown.count("  > work (ext.c:7)") == 20
    assert "definitely lost 50 bytes in 1 block: work (ext.c:7)" in shown
    assert one_line(many).endswith("; and 30 more")


def test_paths_of_object_files_are_said_once() -> None:
    """They stand below all stacks; elsewhere the name is enough."""
    path = "/usr/lib/python3/site-packages/numpy/_core/_multiarray_umath.so"
    frame = Frame(1, "array_new", object=path, owner=Owner.EXTENSION)
    malloc = Frame(1, "malloc", object="/usr/vgpreload_memcheck.so", owner=Owner.VALGRIND)
    leak = replace(LEAK, stack=(malloc, frame, frame))
    shown = text(FAILED, [leak, ERROR, replace(leak, bytes=5)])
    assert shown.count("  > array_new (in _multiarray_umath.so)\n") == 4
    assert shown.endswith(f"\n\nWithout debug information:\n  {path}")
    assert shown.count(path) == 1
    assert one_line([leak]).endswith("in 1 block: array_new (in _multiarray_umath.so)")


def test_summary_tells_object_files_of_the_same_name_apart() -> None:
    """Each has its line, and its hint with the whole path."""
    results = Results()
    for path in ("/a/_c.so", "/b/_c.so", "/b/_c.so"):
        frame = Frame(1, "work", object=path, owner=Owner.EXTENSION)
        results.outside.append(replace(ERROR, stack=(frame,)))
    lines = [line for line in summary(results) if "work" in line]
    place = "  invalid read: work (in _c.so)"
    assert lines == [f"{place}  (2 times)", place]
    hints = list(weaknesses(results))
    assert [hint.split(":")[0] for hint in hints] == [
        f"no debug information in /{name}/_c.so" for name in "ab"
    ]


def test_long_name_leaves_room_for_the_place() -> None:
    """It is cut in one line, and whole in a stack."""
    frame = EXTENSION._replace(function="ns::vector<" + "int, " * 100 + ">")
    error = replace(ERROR, stack=(frame,))
    assert one_line([error]).endswith("... (ext.c:7)")
    assert len(one_line([error])) < 150
    assert frame.function in "\n".join(rendered(error))


def test_failure_in_one_line() -> None:
    """The summary of failures and JUnit XML have it."""
    _, call, teardown = given(FAILED)
    assert call.longrepr.reprcrash.message == (  # type: ignore[union-attr]
        "[VALGRIND LEAK] definitely lost 1,234 bytes in 1 block: work (ext.c:7)"
    )
    assert [name for name, _ in teardown.user_properties] == ["valgrind"]


def test_failure_of_a_test_that_fails_by_itself() -> None:
    """Both can be read."""
    _, call, _ = given(FAILED, outcome="failed")
    assert "its own words" in str(call.longrepr)


def test_known_defect_is_an_expected_failure() -> None:
    """It shows the reason and the evidence."""
    _, call, _ = given(KNOWN)
    assert call.skipped
    assert call.wasxfail.startswith("known since May [VALGRIND LEAK] definitely lost")
    assert "== lost" in str(call.longrepr)


def test_known_defect_does_not_hide_a_failure_that_is_to_be_reported() -> None:
    """The test fails, in its own words, and the evidence is a section."""
    _, call, _ = given(KNOWN, outcome="failed", xfail_failures=False)
    assert call.failed
    assert call.longrepr == "its own words"
    assert "valgrind log" in dict(call.sections)


def test_known_defect_does_not_hide_a_broken_limit() -> None:
    """That is no failure of the test itself, whatever becomes of such failures."""
    call = report("call", "failed", "Test was limited to 1.0KiB but allocated 2.0KiB")
    add_problem(call, str(call.longrepr))
    assert not give(KNOWN, [LEAK], [call], xfail_failures=True)
    assert call.failed
    assert call.longrepr == "Test was limited to 1.0KiB but allocated 2.0KiB"
    assert KNOWN.header in dict(call.sections)


@pytest.mark.parametrize(("xfail_failures", "outcome"), [(True, "skipped"), (False, "failed")])
def test_ordinary_failure_of_a_clean_test(xfail_failures: bool, outcome: str) -> None:
    """It is reported as asked for, in its own words."""
    _, call, _ = given(CLEAN, outcome="failed", xfail_failures=xfail_failures)
    assert call.outcome == outcome
    assert call.longrepr == "its own words"


def test_failing_setup_of_a_clean_test_stays_an_error() -> None:
    """It was one in 0.x."""
    reports = [report("setup", "failed", "no setup"), report("teardown", "passed")]
    give(CLEAN, [], reports, xfail_failures=True)
    assert reports[0].failed


def test_clean_test() -> None:
    """Nothing is changed."""
    assert [found.outcome for found in given(CLEAN)] == ["passed"] * 3


def test_error_in_words() -> None:
    """The words say how often, when, and where it was seen before."""
    first, *_ = rendered(ERROR)
    assert first == "Invalid read of size 1  (3 times, during setup)"


def test_further_stacks_in_words() -> None:
    """Each stands below its caption."""
    further = Further("Block was alloc'd at", (EXTENSION,))
    finding = Finding(Kind.INVALID_READ, "Invalid read of size 1", (EXTENSION,), (further,))
    assert list(rendered(finding))[2:] == ["  Block was alloc'd at", "  > work (ext.c:7)"]


AT = PythonLine("test_it.py", 3, "test_it")


def test_stacks_end_in_python() -> None:
    """Each ends in what is known of its caller."""
    further = Further("Block was alloc'd at", (EXTENSION,), caller=Caller(AT, is_test=True))
    finding = replace(ERROR, further=(further,), caller=Caller(AT))
    assert list(rendered(finding))[1:] == [
        "  > work (ext.c:7)",
        "  py test_it (test_it.py:3)",
        "  Block was alloc'd at",
        "  > work (ext.c:7)",
        "  in test_it (test_it.py:3)",
    ]
    line = PythonLine("test_it.py", 5, "test_it")
    exact = list(rendered(replace(finding, further=(), python=(line,))))
    assert exact[1:] == [
        "  > work (ext.c:7)",
        "  in Python, by running the test once more, the most recent call first:",
        "  > test_it.py:5 in test_it",
    ]
    named = Frame(1, "helper", "test_it.py", 9, owner=Owner.PYTHON)
    assert list(rendered(replace(finding, stack=(EXTENSION, named), further=())))[1:] == [
        "  > work (ext.c:7)",
        "  py helper (test_it.py:9)",
    ]


def test_frames_of_the_interpreter_are_folded() -> None:
    """The first two of a run are shown; frames of the checker are left out."""
    other = Frame(1, "eval", "ceval.c", 1, owner=Owner.INTERPRETER)
    ours = Frame(1, "pvg_inside_test", owner=Owner.CHECKER)
    assert list(stack_lines((other, EXTENSION, *[other] * 7, ours))) == [
        "    eval (ceval.c:1)",
        "  > work (ext.c:7)",
        "    eval (ceval.c:1)",
        "    eval (ceval.c:1)",
        "    ... 5 more frames of the interpreter",
    ]


def test_one_line_without_a_stack() -> None:
    """Valgrind's words are better than nothing."""
    assert one_line([Finding(Kind.UNSHOWN, "It was counted.")]) == (
        "error not shown again: It was counted."
    )
