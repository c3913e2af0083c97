"""What ``pytest --heapcheck`` finds, and what it says about it: one run of tests/suites/native."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from heapcheck_runs import lost_bytes, run_folder, section
from suite import Run

HEADER = "[HEAP LEAK]"
#: By test: the sizes of lost C blocks.
BLOCKS = {
    "test_native_leaks.lose_in_doctest": [61],
    "test_block": [51],
    "test_block_below_a_helper": [52],
    "test_thread_of_c": [33],
    "test_thread_of_python": [54],
    "test_after_fork": [56],
    "test_parametrized[57]": [57],
    "test_parametrized[58]": [58],
    "test_coroutine": [59],
    "test_in_set_up": [62],
    "test_in_subtest": [63],
    "test_subtests": [64],
    "test_fails_and_leaks": [65],
    "test_expected_failure_that_leaks": [66],
    "test_setup": [71],
    "test_teardown": [72],
}
#: By test: how the lost object is described.
OBJECTS = {
    "test_list": r"list: \[1000, 1001\]  \(1 reference, ",
    "test_dict": r"dict: \{'lost': 1000\}  \(1 reference, ",
    "test_str": r"str: 'nobody else has this: \d+'  \(1 reference, ",
    "test_instance": r"test_native_leaks.Node: <test_native_leaks.Node>  \(1 reference, ",
    "test_several": r"list: \['two'\]  \(1 reference, ",
}
#: By test: the Python function and the source line that made what is lost.
LINES = {
    "test_block": ("test_block", "defective.leak(51)"),
    "test_block_below_a_helper": ("helper", "defective.leak(52)"),
    "test_list": ("test_list", "defective.leak_reference([1000, 1001])"),
    "test_dict": ("test_dict", 'defective.leak_reference({"lost": 1000})'),
    "test_parametrized[58]": ("test_parametrized", "defective.leak(size)"),
    "test_coroutine": ("test_coroutine", "defective.leak(59)"),
    "test_in_set_up": ("setUp", "defective.leak(62)"),
    "test_setup": ("lost_in_setup", "defective.leak(71)"),
    "test_teardown": ("lost_in_teardown", "defective.leak(72)"),
}
#: By test at which it is reported: the sizes, and when each was lost.
SHARED = {
    "test_first_of_class": {73: "in the setup of fixture lost_by_class (class scope)"},
    "test_last_of_class": {74: "in the teardown of fixture lost_by_class (class scope)"},
    "test_first_of_module": {
        75: "in the setup of fixture lost_by_module (module scope)",
        77: "in the setup of fixture lost_by_session (session scope)",
    },
    "test_last": {
        76: "in the teardown of fixture lost_by_module (module scope)",
        78: "in the teardown of fixture lost_by_session (session scope)",
    },
}
CLEAN = (
    *("test_clean", "test_cache_that_stays", "test_fork", "test_parametrized[0]"),
    *("test_clean_method", "test_skipped_under_valgrind", "test_second_of_module"),
)
ENVIRONMENT = (
    *("test_own_variables", "test_variables_of_a_program", "test_variables_of_another_start"),
    *("test_library_of_a_python", "test_usable_size", "test_counters_of_libc", "test_trim"),
)
KNOWN = ("test_known_leak", "test_known_error")
UNKNOWN = {
    "test_known_error_and_a_leak": "[HEAP WRITE AFTER FREE+LEAK]",
    "test_known_leak_and_an_error": "[HEAP DOUBLE FREE+LEAK]",
}
needs_subtests = pytest.mark.skipif(pytest.version_tuple < (9,), reason="of pytest 9")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run."""
    directory = tmp_path_factory.mktemp("native")
    return run_folder("native", directory, extension, "--doctest-modules", "--strict-markers")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=needs_subtests if name == "test_subtests" else ())
        for name in BLOCKS
    ],
)
def test_lost_block_is_of_its_test(native: Run, name: str) -> None:
    """It fails for what it lost, and for nothing else."""
    case = native[name]
    assert case.outcome == "failed"
    assert case.message.startswith(HEADER)
    assert lost_bytes(case.message) == BLOCKS[name]


@pytest.mark.parametrize("name", BLOCKS)
def test_c_line_is_shown(native: Run, name: str) -> None:
    """The stack begins with the C function that asked for the block, and its source line."""
    if native[name].outcome != "skipped":
        assert re.search(r"  > leak\w* \(defective\.c:\d+\)\n      hidden = ", native[name].text)


@pytest.mark.parametrize("name", OBJECTS)
def test_object_is_named(native: Run, name: str) -> None:
    """The report tells the type of what was lost, and what it looks like."""
    assert native[name].message.startswith(HEADER)
    assert re.search(OBJECTS[name], native[name].text)


@pytest.mark.parametrize("name", LINES)
def test_python_line_is_shown(native: Run, name: str) -> None:
    """The stack goes on with the line of Python below which the block was made."""
    function, line = LINES[name]
    assert re.search(
        rf"  py (\S+\.)?{function} \(\S+test_native_leaks\.py:\d+\)\n      {re.escape(line)}\n",
        native[name].text + "\n",
    )


def test_two_places_are_two_findings(native: Run) -> None:
    """Each has its own paragraph; in the summary a line, but for what an earlier test shows."""
    assert sorted(lost_bytes(native["test_several"].message))[0] == 53
    (line,) = [line for line in section(native) if "::test_several: definitely lost" in line]
    assert line.endswith(": list")


def test_place_of_many_tests_has_a_line(native: Run) -> None:
    """Those that fail have one, those in which it is known another, and so has each fixture."""
    lines = [line for line in section(native) if ": leak (defective.c:" in line]
    known, failing = [line for line in lines if " of fixture " not in line]
    assert failing.startswith("test_native_known.py::test_known_error_and_a_leak: ")
    assert re.search(r"; the same in \d+ more tests$", failing)
    assert known.endswith("(known)")


@pytest.mark.parametrize("name", SHARED)
def test_leak_of_a_shared_fixture_is_an_error(native: Run, name: str) -> None:
    """It is an error of the test at which the fixture was set up or torn down, not a failure."""
    assert native[name].outcome == "error"
    for size, words in SHARED[name].items():
        assert f"{size} bytes in 1 block is definitely lost  ({words})" in native[name].text
    assert sorted(lost_bytes(native[name].text)) == sorted(SHARED[name])


def test_c_line_of_a_shared_fixture(native: Run) -> None:
    """It is shown as for a test."""
    assert "  > leak (defective.c:" in native["test_first_of_class"].text


@pytest.mark.parametrize("name", [*CLEAN, *ENVIRONMENT])
def test_others_pass(native: Run, name: str) -> None:
    """They lose nothing, or nothing in this process; and they see nothing of the engine."""
    assert native[name].outcome == "passed", native[name].text


def test_ordinary_failure_is_a_failure(native: Run) -> None:
    """Natively nothing but the test itself can be to blame."""
    assert native["test_fails"].outcome == "failed"
    assert "HEAP" not in native["test_fails"].message


def test_failure_with_a_leak_says_both(native: Run) -> None:
    """The test's own failure stands below what it lost."""
    assert "AssertionError: on purpose" in native["test_fails_and_leaks"].text


def test_expected_failure_stays_one(native: Run) -> None:
    """It is as without the engine."""
    assert native["test_expected_failure"].outcome == "skipped"


def test_property_of_junit(native: Run) -> None:
    """Each test that has a finding says so in a property."""
    assert native["test_block"].properties["heapcheck"].startswith("definitely lost 51 bytes")
    assert "heapcheck" not in native["test_clean"].properties
    assert "valgrind" not in native["test_block"].properties


@pytest.mark.parametrize("name", KNOWN)
def test_known_finding_fails_nothing(native: Run, name: str) -> None:
    """It is an expected failure, and is listed as known."""
    assert native[name].outcome == "skipped"
    (line,) = [line for line in section(native) if f"::{name}: " in line]
    assert line.endswith("(known)")


@pytest.mark.parametrize("name", UNKNOWN)
def test_marker_knows_its_own_kind_only(native: Run, name: str) -> None:
    """What it does not speak of fails the test."""
    assert native[name].outcome == "failed"
    assert native[name].message.startswith(UNKNOWN[name])


def test_unused_marker_is_listed(native: Run) -> None:
    """It fails nothing without ``--memory-strict``."""
    assert native["test_known_leak_that_is_none"].outcome == "passed"
    line = "unused marker valgrind_known_leak: no such finding"
    assert any(line in found and "_that_is_none" in found for found in section(native))


def test_exit_code(native: Run) -> None:
    """It is that of failed tests."""
    assert native.code == pytest.ExitCode.TESTS_FAILED


def test_totals(native: Run) -> None:
    """The summary counts what was found, where, and in how many tests that were checked."""
    (line,) = [line for line in section(native) if line.endswith("tests checked")]
    assert "leaks (" in line
    assert "6 leaks (453 bytes in 6 blocks) in fixtures" in line
    assert "known ones in 2 tests" in line


def test_every_test_is_judged_here(native: Run) -> None:
    """No test of the suite is forgotten."""
    judged = {*BLOCKS, *OBJECTS, *SHARED, *CLEAN, *ENVIRONMENT, *KNOWN, *UNKNOWN}
    others = {"test_fails", "test_expected_failure", "test_known_leak_that_is_none"}
    assert judged | others == native.cases.keys()
