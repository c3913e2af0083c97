"""A project adopts the tool: what was found on the first day fails nothing, what is new does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import INI
from suite import Run, Suite

BASELINE = "--memory-baseline=base.json"
CHECKS = ("--heapcheck", "--resources=fds", "--resources-fail", BASELINE)
FIRST_DAY = """
import os

import defective

class Node:
    pass

def test_block():
    defective.leak(51)

def test_object():
    defective.leak_reference(Node())

def test_mended_later():
    defective.leak(52)

def test_left_open():
    os.open(__file__, os.O_RDONLY)

def test_damage():
    defective.write_after_free()

def test_clean():
    pass
"""
#: Lines have moved, one defect is mended, and two are new, one of them in a test with a known one.
NEXT_DAY = (
    FIRST_DAY.replace("import os\n", "import os\n\n# A comment\n# of two lines.\n")
    .replace("leak(52)", "keep()")
    .replace("leak_reference(Node())", "leak_reference(Node())\n    defective.leak_reference([])")
    .replace("def test_clean():\n    pass", "def test_clean():\n    defective.leak(53)")
)


class Days:
    """A suite, and its runs."""

    def __init__(self, suite: Suite) -> None:
        self.runs: dict[str, Run] = {}
        suite.write("pytest.ini", INI)
        suite.write("test_days.py", FIRST_DAY)
        self.update = suite.run(*CHECKS, "--memory-baseline-update")
        self.written = (suite.directory / "base.json").read_text()
        self.same = suite.run(*CHECKS, "--memory-json=report.json")
        self.report = json.loads((suite.directory / "report.json").read_text())
        suite.write("test_days.py", NEXT_DAY)
        for name, options in (("next", ()), ("by workers", ("-n2",))):
            self.runs[name] = run = suite.run(*CHECKS, *options)
            assert run.cases  # read now, as the next run writes the same file
        self.part = suite.run(*CHECKS, "-k", "clean", "--memory-baseline-update")
        self.after_part = (suite.directory / "base.json").read_text()
        self.second_update = suite.run(*CHECKS, "--memory-baseline-update")
        self.after_all = (suite.directory / "base.json").read_text()


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Days:
    return Days(Suite(tmp_path_factory.mktemp("baseline"), extension))


def outcomes(run: Run) -> dict[str, str]:
    return {name: case.outcome for name, case in run.cases.items()}


def names_of(lines: Iterable[str]) -> set[str]:
    return {line.partition("::")[2].partition(":")[0] for line in lines}


def named_in(text: str) -> list[str]:
    return [known["test"].partition("::")[2] for known in json.loads(text)["findings"]]


def test_an_update_fails_nothing(days: Days) -> None:
    assert days.update.code == 0


def test_an_update_writes_everything(days: Days) -> None:
    names = ["test_block", "test_damage", "test_left_open", "test_mended_later", "test_object"]
    assert named_in(days.written) == names


def test_an_update_says_what_is_new(days: Days) -> None:
    assert "5 findings written to " in days.update.output
    assert "base.json: 5 new, 0 gone" in days.update.output


def test_what_is_known_fails_nothing(days: Days) -> None:
    assert days.same.code == 0
    assert days.same.totals.startswith("2 passed, 4 xfailed")


def test_what_is_known_is_listed(days: Days) -> None:
    for name in ("test_block", "test_object", "test_left_open", "test_damage"):
        (line,) = [
            line
            for line in days.same.output.splitlines()
            if line.startswith(f"test_days.py::{name}:")
        ]
        assert line.endswith("  (in the baseline)")


def test_what_is_known_has_its_status_in_reports(days: Days) -> None:
    assert {found["status"] for found in days.report["findings"]} == {"baseline"}


@pytest.mark.parametrize("name", ["next", "by workers"])
def test_what_is_new_fails_the_run(days: Days, name: str) -> None:
    """The summary says of each finding whether it is known, whenever a check has seen it."""
    run = days.runs[name]
    assert run.code == 1
    lines = [line for line in run.output.splitlines() if line.startswith("test_days.py::")]
    known = {line for line in lines if line.endswith("  (in the baseline)")}
    assert names_of(known) == {"test_block", "test_object", "test_left_open", "test_damage"}
    assert names_of(set(lines) - known) == {"test_object", "test_clean"}


def test_what_is_new_fails_its_test(days: Days) -> None:
    assert outcomes(days.runs["next"]) == {
        "test_block": "skipped",
        "test_object": "failed",
        "test_mended_later": "passed",
        "test_left_open": "passed",
        "test_damage": "skipped",
        "test_clean": "failed",
    }


@pytest.mark.parametrize("name", ["next", "by workers"])
def test_what_is_gone_is_said(days: Days, name: str) -> None:
    output = days.runs[name].output
    assert "base.json is gone; --memory-baseline-update takes it out:" in output
    assert "  gone: test_days.py::test_mended_later: definitely lost 52 bytes in 1 block" in output


def test_an_update_of_a_part_keeps_the_rest(days: Days) -> None:
    before = named_in(days.written)
    assert sorted(named_in(days.after_part)) == sorted([*before, "test_clean"])


def test_an_update_takes_out_what_is_gone(days: Days) -> None:
    assert "7 findings" not in days.second_update.output
    assert "base.json: 1 new, 1 gone" in days.second_update.output
    assert "test_mended_later" not in named_in(days.after_all)
    assert named_in(days.after_all).count("test_object") == 2


def test_markers_need_no_baseline(suite: Suite) -> None:
    suite.write(
        "test_a.py",
        "import defective, pytest\n\n@pytest.mark.known_leak\n@pytest.mark.valgrind_known_leak\n"
        "def test_a():\n    defective.leak(9)\n".replace("@pytest.mark.known_leak\n", ""),
    )
    run = suite.run("--heapcheck", BASELINE, "--memory-baseline-update")
    assert run.code == 0
    assert named_in((suite.directory / "base.json").read_text()) == []


@pytest.mark.slow
def test_a_hunt_has_a_baseline(suite: Suite) -> None:
    suite.write("test_a.py", "kept = []\n\ndef test_grows():\n    kept.append([object()])\n")
    assert suite.run("-R", ":").code == 1
    assert suite.run("-R", ":", BASELINE, "--memory-baseline-update").code == 0
    again = suite.run("-R", ":", BASELINE)
    assert again.code == 0
    assert "in the baseline base.json" in again["test_grows"].message


def test_no_file_is_a_mistake_before_any_test_runs(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(): pass\n")
    run = suite.run("--valgrind", BASELINE)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "base.json; --memory-baseline-update writes it." in run.errors


def test_an_update_needs_a_name(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(): pass\n")
    run = suite.run("--memory-baseline-update")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "--memory-baseline=FILE is missing" in run.errors


def test_another_file_is_a_mistake(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(): pass\n")
    run = suite.run("--heapcheck", "--memory-baseline=test_a.py")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "test_a.py is no baseline of this version" in run.errors


def test_a_name_in_the_ini_file_starts_from_there(suite: Suite) -> None:
    suite.write("pytest.ini", f"{INI}memory_baseline = base.json\n")
    suite.write("base.json", '{"format": "pytest-valgrind-baseline", "version": 1, "findings": []}')
    (suite.directory / "tests").mkdir()
    suite.write("tests/test_a.py", "def test_a(): pass\n")
    inner = Suite(suite.directory / "tests", suite.path)
    assert inner.run("--heapcheck").code == 0
