"""Leaks that rules of the user say nothing about: ``--heapcheck-ignore`` and its ini value."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI
from heapcheck_runs import native_suite, run_natively, section
from suite import Run, Suite

LEAKS = """\
from defective import leak, leak_reference
import pytest

class Token: pass

def test_type(): leak_reference(Token())
def test_function(): leak(21)
@pytest.mark.parametrize("what", ["a", "b"])
def test_named(what): leak_reference([what, 1])
def test_not_ignored(): leak_reference({"lost": 1})
"""
RULES = """\
# what is lost on purpose
type: test_leaks.Token  # made once
type: mypkg.Never
"""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Suite:
    """Return the suite, with a file of rules and some in the ini file."""
    files = {"test_leaks.py": LEAKS, "rules": RULES}
    made = native_suite(tmp_path_factory.mktemp("ignored"), extension, files)
    made.write("pytest.ini", f"{INI}heapcheck_ignore =\n    rules\n    function: lea*\n")
    return made


@pytest.fixture(scope="module", params=[(), ("-n2",)], ids=["alone", "workers"])
def ignored(request: pytest.FixtureRequest, native: Suite) -> Run:
    """Return a run with a further rule."""
    rule = "--heapcheck-ignore=test: test_leaks.py::test_named[*]"
    return run_natively(native, rule, *request.param)


def test_what_fits_a_rule_fails_nothing(ignored: Run) -> None:
    """By type, by a static C function, and by the name of the test."""
    failed = {name for name, case in ignored.cases.items() if case.outcome != "passed"}
    assert failed == {"test_not_ignored"}


def test_ignored_leaks_are_counted(ignored: Run) -> None:
    """None is lost without a word."""
    (line,) = [line for line in section(ignored) if line.startswith("ignored by rules: ")]
    assert line.startswith("ignored by rules: 4 leaks (")


def test_unused_rule_is_listed(ignored: Run) -> None:
    """With its file and line; one that was of use is not."""
    (line,) = [line for line in section(ignored) if "unused rule" in line]
    assert line.endswith("rules:3: unused rule of --heapcheck-ignore: type: mypkg.Never")


@pytest.mark.parametrize("value", ["nowhere", "typ: dict"])
def test_value_that_makes_no_sense(native: Suite, value: str) -> None:
    """It is an error of usage, with the words."""
    run = run_natively(native, f"--heapcheck-ignore={value}")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert f"--heapcheck-ignore: '{value}' is no rule" in run.errors
