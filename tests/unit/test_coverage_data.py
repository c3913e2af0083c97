"""pytest-cov, and whatever else writes files, where the process under valgrind dies."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from suite import launcher

pytest.importorskip("pytest_cov")


from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.results import Results
from pytest_valgrind.recovery.coverage_data import is_measured, not_covered, options_of_replay
from pytest_valgrind.recovery.history import ProcessHistory
from pytest_valgrind.recovery.records import Began, Collecting, Covered, Ended, Ran, Record
from pytest_valgrind.recovery.replay import replay
from pytest_valgrind.settings import Settings

MODULE = """
def one():
    return 1

def two():
    return 2

def three():
    return 3
"""
MEASURED = Namespace(cov_source=["module"], no_cov=False)
CRASH = Crash(-6, "died of SIGABRT", (), "", "log")


def dead_at_import() -> ProcessHistory:
    """Return what is left of a process that has saved nothing."""
    return ProcessHistory([Collecting("test_a.py"), CRASH])


def test_nothing_was_saved(
    pytester: pytest.Pytester, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is there from before stays, no report is written, and nothing is said to be 0 %."""
    pytester.makefile(".py", module=MODULE)
    before = {name: f"the {name} of an earlier run" for name in (".coverage", "coverage.json")}
    for name, text in before.items():
        Path(name).write_text(text)
    args = ["--cov=module", "--cov-report=json", "--cov-report=term", "-p", "no:cacheprovider"]
    code = replay([dead_at_import()], settings, launcher(pytester.path, MEASURED), args)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert {name: Path(name).read_text() for name in before} == before
    assert "0%" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("records", "options"),
    [
        ([], ["--no-cov"]),
        ([Covered(-1)], ["--cov-append"]),
        ([Ended(Results(), (), "")], ["--cov-append"]),
    ],
)
def test_options_of_replay(records: list[Any], options: list[str]) -> None:
    """What was saved is neither erased nor taken for nothing."""
    assert options_of_replay(MEASURED, [ProcessHistory([*records, CRASH])]) == options


@pytest.mark.parametrize("option", [Namespace(), Namespace(cov_source=["a"], no_cov=True)])
def test_nothing_is_measured(option: Namespace) -> None:
    """No option is given that only pytest-cov knows."""
    assert not is_measured(option)
    assert options_of_replay(option, [dead_at_import()]) == []
    assert not list(not_covered(option, [dead_at_import()]))


def test_tests_without_coverage() -> None:
    """Those are the ones that began after it was saved."""
    location = ("test_a.py", 1, "")
    records: list[Record] = [Began(0, "a", location), Ran(0, ()), Covered(0)]
    records += [Began(1, "b", location), Ran(1, ()), Began(2, "c", location), CRASH]
    (line,) = not_covered(MEASURED, [ProcessHistory(records)])
    assert line == "no coverage of 2 tests, lost with the process: b, c"
