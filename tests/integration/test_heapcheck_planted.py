"""The planted defects and the lost references that valgrind is tried on, with ``--heapcheck``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from heapcheck_runs import lost_bytes, run_folder, section
from planted import ROWS, run_planted
from planted_rows import Row
from reference_rows import CLEAN, LOST
from suite import Run

LEAK = "[HEAP LEAK]"
#: Lost before the first test, when there is no test that it could be of.
AT_IMPORT = "lose_at_import"
#: What the guards see, by the planted function: the header and the words.
GUARDED = {
    "write_past_end": ("[HEAP OVERFLOW]", r"1 byte written .*past the end of a block"),
    "write_freed": ("[HEAP WRITE AFTER FREE]", r"1 byte written at byte 1 of a block of \d+ bytes"),
    "write_past_bytes": ("[HEAP OVERFLOW]", r"past the end of a block"),
    "free_not_allocated": ("[HEAP INVALID FREE]", r"free"),
    "free_inside": ("[HEAP INVALID FREE]", r"free"),
    "free_twice": ("[HEAP DOUBLE FREE]", r"was freed again"),
}
#: Without the second runs that would take most of the time.
WITHOUT_STACKS = ("--heapcheck-stacks-seconds=0",)
LEAKS = [row for row in ROWS if row.is_leak and row.fails]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of the planted defects."""
    directory = tmp_path_factory.mktemp("planted")
    return run_planted(directory, "--heapcheck", *WITHOUT_STACKS)


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of tests that lose a reference to an object of every kind."""
    return run_folder("references", tmp_path_factory.mktemp("group"), extension, *WITHOUT_STACKS)


@pytest.mark.parametrize("row", LEAKS, ids=lambda row: row.function)
def test_planted_leak_is_found(planted: Run, row: Row) -> None:
    """In every place: in tests, in fixtures of every scope, in threads and in destructors."""
    for name in row.tests:
        assert "[HEAP LEAK" in planted[name].text
        wanted = lost_bytes(" ".join(row.words))
        assert not wanted or {*wanted} <= {*lost_bytes(planted[name].text)}


@pytest.mark.parametrize("row", LEAKS, ids=lambda row: row.function)
def test_function_that_allocated_is_named(planted: Run, row: Row) -> None:
    """Even if it is static: its name is from the debug information."""
    if not (row.nameless or row.function in ("lose_str", "lose_bytes", "lose_int")):
        pattern = rf"  > {row.function} \(flaws\.c:\d+\)|[ :]flaws\.|bytearray|tuple"
        assert all(re.search(pattern, planted[name].text) for name in row.tests)


@pytest.mark.parametrize("function", GUARDED)
def test_planted_damage_is_found(planted: Run, function: str) -> None:
    """The guards see it, in the test that did it."""
    header, words = GUARDED[function]
    case = planted[f"test_error[{function}]"]
    assert case.message.startswith(header)
    assert re.search(words, case.text)
    assert "flaws.c:" in case.text


def test_no_other_test_is_blamed(planted: Run) -> None:
    """What neither leaks nor writes where it must not passes."""
    # Those as well in which valgrind does not see it with every interpreter.
    leaking = {name for row in ROWS if row.is_leak for name in row.tests}
    expected = leaking | {f"test_error[{function}]" for function in GUARDED}
    blamed = {name for name, case in planted.cases.items() if "[HEAP" in case.text}
    assert blamed - expected == set()


def test_what_is_lost_outside_tests_fails_none(planted: Run) -> None:
    """It has no test, and is not reported."""
    assert not any(AT_IMPORT in case.text for case in planted.cases.values())


@pytest.mark.parametrize("kind", LOST)
def test_lost_reference_is_found(
    references: Run, tmp_path: Path, extension: Path, kind: str
) -> None:
    """The test that lost it names its type and what it looks like.

    A stale pointer may hide one of them by chance; none is hidden from a check of its own.
    """
    run = references
    if not re.search(LOST[kind], run[f"test_{kind}"].text):
        alone = ("--memory-leak-check=exact", "-k", f"test_{kind}")
        run = run_folder("references", tmp_path, extension, *WITHOUT_STACKS, *alone)
    assert re.search(LOST[kind], run[f"test_{kind}"].text), run.output


@pytest.mark.parametrize("name", CLEAN)
def test_neighbour_is_not_blamed(references: Run, name: str) -> None:
    """A test that loses nothing passes among those that do."""
    assert references[f"test_{name}"].outcome == "passed"


def test_kept_objects_are_not_lost(references: Run) -> None:
    """None is reported, however it is kept."""
    kept = {name: case for name, case in references.cases.items() if "test_keep_" in name}
    assert len(kept) > 70
    assert not [name for name, case in kept.items() if case.outcome not in ("passed", "skipped")]


def test_nothing_is_left_over(references: Run) -> None:
    """No leak is listed outside the tests, or as that of one of several tests."""
    lost = [line for line in section(references) if "definitely lost" in line]
    assert {line.partition(":")[0] for line in lost} == {"test_losing.py"}
