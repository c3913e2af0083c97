"""Outcomes of every kind, from one run of tests/suites/scenarios."""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from conftest import run_scenarios
from report_schemas import errors_in_report, errors_in_sarif
from suite import Run

LEAK = "[VALGRIND LEAK]"
ERROR = "[VALGRIND ERROR]"
BOTH = "[VALGRIND ERROR+LEAK]"

FAILED = {
    "test_leak": (LEAK, "10 bytes in 1 block", "leak (defective.c"),
    "test_leak_of_a_size": (LEAK, "3,000 bytes in 3 blocks", "leak (defective.c"),
    "test_leaked_str": (LEAK, "definitely lost", "unicode"),
    "test_leaked_tuple": (LEAK, "definitely lost", "bytes in"),
    "test_leak_in_thread": (LEAK, "33 bytes in 1 block", "leak_in_this_thread (defective.c"),
    "test_error_in_python_thread": (ERROR, "Invalid read of size 1", "read_past_end (defective.c"),
    "test_invalid_read": (ERROR, "Invalid read of size 1", "read_past_end (defective.c"),
    "test_invalid_read_again": (ERROR, "first seen in test_", "read_past_end (defective.c"),
    "test_invalid_write": (ERROR, "Invalid write of size 1", "Block was alloc'd at"),
    "test_invalid_free": (ERROR, "Invalid free()", "free_twice (defective.c"),
    "test_uninitialised": (ERROR, "Conditional jump", "decide_uninitialised (defective.c"),
    "test_error_and_leak_and_failure": (BOTH, "12 bytes in 1 block", "the test's own words"),
    "test_error_and_skip": (ERROR, "Invalid write", "write_after_free (defective.c"),
    "test_expected_failure_that_leaks": (LEAK, "13 bytes in 1 block", "leak (defective.c"),
    "test_leak_in_setup": (LEAK, "14 bytes in 1 block", "leak (defective.c"),
    "test_error_in_setup": (ERROR, "during setup", "read_past_end (defective.c"),
    "test_error_in_teardown": (ERROR, "during teardown", "write_after_free (defective.c"),
    "test_error_in_garbage_collection": (ERROR, "by the garbage collection", "decide_uninit"),
    "test_parameters[b]": (LEAK, "21 bytes in 1 block", "leak (defective.c"),
    "test_parameters[d[::]]": (LEAK, "22 bytes in 1 block", "leak (defective.c"),
    "test_known_leak_but_error": (ERROR, "Invalid read", "read_past_end (defective.c"),
    "test_known_error_but_leak": (LEAK, "10 bytes in 1 block", "leak (defective.c"),
    "test_unittest_leak": (LEAK, "10 bytes in 1 block", "leak (defective.c"),
    "test_unittest_error_in_teardown": (ERROR, "Invalid write", "write_after_free (defective.c"),
    "test_kinds.documented": (LEAK, "9 bytes in 1 block", "leak (defective.c"),
    "test_async_leak": (LEAK, "10 bytes in 1 block", "leak (defective.c"),
    "leak": (LEAK, "10 bytes in 1 block", "leak (defective.c"),
    "write_after_free": (ERROR, "Invalid write", "write_after_free (defective.c"),
}
PASSED = (
    "test_clean",
    "test_clean_after_leak",
    "test_before_defects_between_tests",
    "test_clean_after_defects_between_tests",
    "test_name_with_odd_letters",
    "test_parameters[a%p]",
    "test_known_leak_that_does_not_occur",
    "test_unittest_clean",
    "test_async_clean",
    "test_in_module_that_errs",
    "test_fork_with_defects",
    "test_multiprocessing_with_defects",
    "test_environment_is_as_ever",
    "test_strings_of_wide_characters",
    "test_zeros_in_an_extension",
    "test_library_with_origin_in_its_path",
)
EXPECTED_FAILURES = {
    "test_clean_but_fails": "Error, but valgrind clean",
    "test_clean_expected_failure": "",
    "test_known_leak": "leaks by design [VALGRIND LEAK] definitely lost 10 bytes",
    "test_known_leak_with_positional_reason": "a reason without its name",
    "test_known_error": "errs by design [VALGRIND ERROR] invalid read",
    "test_both_known": "errs by design, leaks by design [VALGRIND ERROR+LEAK]",
    "test_in_marked_class": "the whole class leaks",
    "test_in_marked_module": "the whole module errs",
}


@pytest.mark.parametrize("name", FAILED)
def test_defect_fails_the_test(scenarios: Run, name: str) -> None:
    """The failure has the right header, the kind, and the frame of the extension."""
    if name in ("test_leaked_str", "test_leaked_tuple") and sys.version_info < (3, 11):
        pytest.xfail("a returned frame of 3.10 stays with its code, and what it pointed to")
    header, what, frame = FAILED[name]
    case = scenarios[name]
    assert case.outcome == "failed"
    assert case.text.startswith(header)
    assert what in case.text
    assert frame in case.text


@pytest.mark.parametrize("name", PASSED)
def test_clean_test_passes(scenarios: Run, name: str) -> None:
    """It does, whatever happened before."""
    assert scenarios[name].outcome == "passed"


@pytest.mark.parametrize("name", EXPECTED_FAILURES)
def test_expected_failure(scenarios: Run, name: str) -> None:
    """It shows the reason and the evidence."""
    case = scenarios[name]
    assert case.outcome == "skipped"
    assert EXPECTED_FAILURES[name] in case.message


def test_no_other_outcomes(scenarios: Run) -> None:
    """Every test of the scenarios is accounted for here."""
    known = {*FAILED, *PASSED, *EXPECTED_FAILURES}
    others = {name: case.outcome for name, case in scenarios.cases.items() if name not in known}
    assert others == {
        "test_clean_but_skipped": "skipped",
        "test_known_error_that_is_skipped": "skipped",
        "test_skipped_under_valgrind": "skipped",
        "test_failing_setup_that_leaks": "error",
        "test_parameters[c\\xe9\\n]": "passed",
        "test_import_error": "error",
    }


def test_skip_under_valgrind_says_why(scenarios: Run) -> None:
    """It gives the marker's reason, and the place of the test."""
    assert scenarios["test_skipped_under_valgrind"].message == "too slow"
    assert "test_markers.py" in scenarios["test_skipped_under_valgrind"].text


def test_failing_setup_keeps_its_own_words(scenarios: Run) -> None:
    """An error hides no leak, and a leak hides no error."""
    text = scenarios["test_failing_setup_that_leaks"].text
    assert text.startswith(LEAK)
    assert "no setup" in text


def test_import_error_is_reported_against_its_module(scenarios: Run) -> None:
    """The module fails, its tests do not."""
    case = scenarios["test_import_error"]
    assert ERROR in case.text
    assert "Invalid free()" in case.text
    assert "during collection" in case.text
    assert "free_twice (defective.c" in case.text


def test_excerpt_is_that_of_the_test_alone(scenarios: Run) -> None:
    """It has valgrind's own lines of this leak and of no other."""
    text = scenarios["test_leak"].text
    assert "(+10) bytes in" in text
    # From 3.21 on: "in new loss record".
    assert len(re.findall(r"definitely lost in (?:new )?loss record", text)) == 1


def test_excerpt_is_shown_if_asked_for(scenarios: Run) -> None:
    """With -v, as here, it stands below the finding."""
    _, _, shown = scenarios.output.partition("_ test_leak_in_thread _")
    finding, _, excerpt = shown.partition("\n___")[0].partition("- valgrind log -")
    assert "  > leak_in_this_thread (defective.c:" in finding
    assert "definitely lost in" in excerpt


def test_excerpt_of_a_repeated_error(scenarios: Run) -> None:
    """It has valgrind's own lines, though valgrind does not print them again."""
    assert "== Invalid read of size 1" in scenarios["test_invalid_read_again"].text


def test_extension_frames_are_marked(scenarios: Run) -> None:
    """The extension's frame is marked, the interpreter's are folded."""
    text = scenarios["test_leak"].text
    assert "  > leak (defective.c:" in text
    assert "more frames of the interpreter" in text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("test_uninitialised", "py test_uninitialised (test_outcomes.py:"),
        ("test_leak", "in test_leak (test_outcomes.py:"),
        ("test_invalid_read_again", "in test_invalid_read_again (test_outcomes.py:"),
        ("test_error_in_python_thread", "in test_error_in_python_thread (test_outcomes.py:"),
        ("test_error_in_setup", "py errs_in_setup (test_outcomes.py:"),
        ("test_error_in_teardown", "in test_error_in_teardown (test_outcomes.py:"),
        ("test_unittest_leak", "in TestUnittest.test_unittest_leak (test_kinds.py:"),
        ("test_kinds.documented", "in [doctest] test_kinds.documented (test_kinds.py"),
        ("test_import_error", "py <module> (test_import_error.py)"),
    ],
)
def test_stack_ends_in_python(scenarios: Run, name: str, line: str) -> None:
    """It ends in the function of the test, in a fixture, in a module, or in the test as a whole."""
    assert f"\n  {line}" in scenarios[name].text


def test_finding_is_a_property_in_the_xml(scenarios: Run) -> None:
    """Programs can read it there, for known findings too."""
    for name in ("test_leak", "test_known_leak"):
        assert "definitely lost 10 bytes" in scenarios[name].properties["valgrind"]


def test_unused_marker_is_named_in_the_summary(scenarios: Run) -> None:
    """Only tests that ran to their end are named."""
    unused = [line.split(": ")[0] for line in scenarios.summary if "unused marker" in line]
    assert unused == [
        "test_markers.py::test_known_leak_but_error",
        "test_markers.py::test_known_error_but_leak",
        "test_markers.py::test_known_leak_that_does_not_occur",
    ]


def test_defects_outside_tests_are_counted(scenarios: Run) -> None:
    """They occur between two tests, or are leaks of an import."""
    start = next(n for n, line in enumerate(scenarios.summary) if line.startswith("outside tests"))
    text = "\n".join(scenarios.summary[start:])
    assert "1 error, 2 leaks (632 bytes in 2 blocks)" in text


def test_summary_has_a_line_for_each_finding(scenarios: Run) -> None:
    """The line has the test, the kind, the size and the frame."""
    lines = [line for line in scenarios.summary if "::test_leak_of_a_size" in line]
    assert len(lines) == 1
    assert "definitely lost 3,000 bytes in 3 blocks: leak (defective.c:" in lines[0]


def test_header(scenarios: Run) -> None:
    """It says what is checked, with which valgrind and options, and where the log is."""
    header = [line for line in scenarios.output.splitlines() if line.startswith("valgrind: ")]
    assert header[0].startswith("valgrind: memcheck 3.")
    assert "leaks in groups of tests" in header[0]
    deep = sys.version_info < (3, 11) or sysconfig.get_config_var("Py_DEBUG")
    assert f"--num-callers={100 if deep else 50}" in header[1]
    assert header[2].startswith("valgrind: log /")
    assert header[3].endswith("for interpreter errors")
    assert len(header) == 4


def test_exit_code(scenarios: Run) -> None:
    """It is that of a run with failures."""
    assert scenarios.code == pytest.ExitCode.TESTS_FAILED


def report_of(scenarios: Run, name: str) -> Any:
    return json.loads(scenarios.xml.with_name(name).read_text(encoding="utf-8"))


def test_the_report_is_as_its_schema_says(scenarios: Run) -> None:
    assert errors_in_report(report_of(scenarios, "report.json")) == []


def test_the_report_is_valid_sarif(scenarios: Run) -> None:
    assert errors_in_sarif(report_of(scenarios, "report.sarif")) == []


def test_the_report_has_what_failed(scenarios: Run) -> None:
    """Each test that fails has a finding that does, but for the one with an unused marker."""
    report = report_of(scenarios, "report.json")
    failing = {
        nodeid
        for found in report["findings"]
        for nodeid in found["tests"]
        if found["status"] == "failed"
    }
    failed = {test["nodeid"] for test in report["tests"] if test["outcome"] in ("failed", "error")}
    assert failed and failed <= failing


def test_the_report_has_the_excerpt(scenarios: Run) -> None:
    found = [
        one
        for one in report_of(scenarios, "report.json")["findings"]
        if "".join(one["tests"]).endswith("::test_invalid_write")
    ]
    assert [one["kind"] for one in found] == ["invalid write"]
    assert "Invalid write of size 1" in found[0]["log"]
    assert found[0]["further"][0]["stack"][0]["function"] == "free"


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--valgrind-leak-check=exact", "-n2"])
def test_same_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, extension: Path, scenarios: Run, option: str
) -> None:
    """A check after every test and workers lead to the same words."""
    other = run_scenarios(tmp_path_factory, extension, option)
    outcomes = {name: (case.outcome, case.message) for name, case in other.cases.items()}
    assert outcomes == {
        name: (case.outcome, case.message) for name, case in scenarios.cases.items()
    }
