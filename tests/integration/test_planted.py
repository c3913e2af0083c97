"""Planted defects, each with the report that it is to have: one run of tests/suites/planted."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet
from conftest import HERE
from planted import ROWS, judge, miscounted, not_passed, run_planted
from planted_rows import Row
from suite import Run

DETECTED = [row for row in ROWS if row.fails]
LISTED = [row for row in ROWS if row.listed]
UNDETECTED = [row for row in ROWS if row.limit]


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of the suite."""
    return run_planted(tmp_path_factory.mktemp("planted"))


def by_function(rows: Iterable[Row]) -> list[ParameterSet]:
    """Return parameters: a row each; those of what cannot be found are expected to fail."""
    return [
        pytest.param(
            row,
            id=row.function,
            marks=pytest.mark.xfail(
                bool(row.limit), reason=row.limit, raises=AssertionError, strict=not row.varies
            ),
        )
        for row in rows
    ]


@pytest.mark.parametrize("row", by_function([*DETECTED, *UNDETECTED]))
def test_every_occurrence_is_found(planted: Run, row: Row) -> None:
    """The report of each test that has it has the right header and words."""
    assert {*judge(row, planted).found} == {*row.tests}


@pytest.mark.parametrize("row", by_function(row for row in DETECTED if not row.nameless))
def test_function_is_named(planted: Run, row: Row) -> None:
    """Each of these reports has it as a frame of the extension."""
    assert {*judge(row, planted).named} == {*row.tests}


def test_no_other_test_is_blamed(planted: Run) -> None:
    """No other report names the function, and no report has a leak too many."""
    blamed = {row.function: judge(row, planted).blamed for row in ROWS}
    assert not {function: tests for function, tests in blamed.items() if tests}
    assert not miscounted(planted)


@pytest.mark.parametrize("row", by_function(LISTED))
def test_what_fails_no_test_is_listed(planted: Run, row: Row) -> None:
    """The summary has it."""
    assert judge(row, planted).is_listed


def test_all_others_pass(planted: Run) -> None:
    """Those are the clean tests, and those with a defect that cannot be found."""
    assert not not_passed(planted)
    assert sum(case.outcome == "passed" for case in planted.cases.values()) > len(DETECTED)


def test_every_function_has_a_row() -> None:
    """It has exactly one, so that a report tells the row."""
    functions = [row.function for row in ROWS]
    assert len(functions) == len(set(functions))
    stub = (HERE / "extensions" / "flaws.pyi").read_text()
    planted = {
        name.removeprefix("start_") for name in re.findall(r"^def (\w+)", stub, re.MULTILINE)
    }
    in_types = {"read_in_dealloc", "lose_in_dealloc"}
    assert {*functions} == (planted - {"nothing", "lose_kept"}) | in_types
