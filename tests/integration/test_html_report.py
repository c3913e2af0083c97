"""``--memory-report`` in real runs: what the page holds, what is compared, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, INI
from suite import Run, Suite

from pytest_valgrind.report_files.earlier_report import DOCUMENT, TREND
from pytest_valgrind.report_files.embedded_data import extract

TESTS = """
import os
import signal

def test_first():
    assert bytearray(100)

def test_second():
    assert "a < b"
"""
CRASH = f"""{TESTS}
def test_third():
    os.kill(os.getpid(), signal.SIGSEGV)
"""
#: A plugin with which there is no template library.
WITHOUT_JINJA = "import sys\nsys.modules['jinja2'] = None\n"
PAGE = "--memory-report=report.html"


def suite_in(directory: Path, tests: str = TESTS) -> Suite:
    """Return a suite of tests in which nothing is lost."""
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.write("test_it.py", tests)
    return made


def page(suite: Suite, name: str = DOCUMENT) -> Any:
    """Return the data in the page that a run has written."""
    return extract((suite.directory / "report.html").read_text(encoding="utf-8"), name)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return suite_in(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def two_runs(suite: Suite) -> list[Run]:
    """Run twice, each time with the same file as the page and as the earlier one."""
    same = "--memory-earlier=report.html"
    return [suite.run("--heapcheck", PAGE, same, "--memory-json=report.json") for _ in range(2)]


def test_the_first_run_needs_no_earlier_file(two_runs: list[Run]) -> None:
    assert [run.code for run in two_runs] == [0, 0]


def test_the_page_holds_the_same_as_the_json(suite: Suite, two_runs: list[Run]) -> None:
    assert two_runs
    assert page(suite) == json.loads((suite.directory / "report.json").read_text())


def test_the_second_run_knows_the_first(suite: Suite, two_runs: list[Run]) -> None:
    assert two_runs
    assert [run["tests"] for run in page(suite, TREND)["runs"]] == [2, 2]


def test_runs_of_the_same_second_are_told_apart(suite: Suite, two_runs: list[Run]) -> None:
    """By their starts, which are known to the millisecond."""
    assert two_runs
    starts = [run["started"] for run in page(suite, TREND)["runs"]]
    assert all(start[-10:-6].startswith(".") for start in starts)
    assert len(set(starts)) == 2


def test_the_terminal_says_where_the_page_is(two_runs: list[Run]) -> None:
    assert "report.html written" in two_runs[0].output


def test_the_memory_of_each_test_is_there(suite: Suite, two_runs: list[Run]) -> None:
    assert two_runs
    for test in page(suite)["tests"]:
        assert test["memory"]["heap_end"] > 1_000_000


def test_checks_that_were_asked_for(suite: Suite, two_runs: list[Run]) -> None:
    assert two_runs
    assert page(suite)["run"]["checks"] == ["heapcheck"]


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    made = suite_in(tmp_path_factory.mktemp("crash"), CRASH)
    made.run("--heapcheck", PAGE)
    return made


def test_a_crash_leaves_the_memory_of_tests_before_it(crashed: Suite) -> None:
    assert [bool(test.get("memory")) for test in page(crashed)["tests"]] == [True, True, False]


def test_a_crash_leaves_the_command_of_the_user(crashed: Suite) -> None:
    words = page(crashed)["run"]["command"].split()
    assert words[0] == "pytest"
    assert PAGE in words
    assert "--noconftest" not in words


def test_a_crash_leaves_the_time_when_the_run_began(crashed: Suite) -> None:
    """The tests ran in a process before the one that writes the page."""
    run, tests = page(crashed)["run"], page(crashed)["tests"]
    assert run["seconds"] > sum(test["seconds"] for test in tests)


def test_a_plain_run_has_checked_nothing(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    assert suite.run(PAGE).code == 0
    assert page(suite)["run"]["checks"] == []
    text = (tmp_path / "report.html").read_text()
    assert '<h1 id="verdict" class="unchecked">Nothing was checked</h1>' in text


def test_other_checks_are_named(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    assert suite.run(PAGE, "-R", "2:2", "--resources=fds", "--memory-limit=1GB").code == 0
    assert page(suite)["run"]["checks"] == ["hunt", "resources", "limits"]


@pytest.mark.parametrize("option", ["--collect-only", "--fixtures", "--markers", "--help"])
def test_nothing_is_written_where_no_test_runs(option: str, tmp_path: Path) -> None:
    """The report of an earlier run stays."""
    suite = suite_in(tmp_path)
    suite.run(option, PAGE, "--memory-json=report.json")
    assert not list(tmp_path.glob("report.*"))


@pytest.mark.parametrize("engine", ["--heapcheck", "--valgrind", ""], ids=lambda name: name or "no")
def test_without_jinja_it_is_refused_at_once(engine: str, tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    suite.write("without_jinja.py", WITHOUT_JINJA)
    run = suite.run(*filter(None, [engine]), PAGE, "-p", "without_jinja")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    words = "ERROR: --memory-report takes jinja2: pip install 'pytest-valgrind[report]'.\n"
    assert words in run.errors
    assert "test session starts" not in run.output


def test_json_needs_no_jinja(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    suite.write("without_jinja.py", WITHOUT_JINJA)
    assert suite.run("--memory-json=report.json", "-p", "without_jinja").code == 0


@pytest.mark.parametrize("engine", ["--heapcheck", ""], ids=lambda name: name or "no")
def test_an_earlier_file_that_is_no_report_is_refused(engine: str, tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    run = suite.run(*filter(None, [engine]), PAGE, "--memory-earlier=test_it.py")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "test_it.py is no report of pytest-valgrind: give a file that" in run.errors


def test_an_earlier_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    run = suite_in(tmp_path).run(PAGE, "--memory-earlier=none.html")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "none.html cannot be read: No such file or directory.\n" in run.errors


def test_an_earlier_file_without_a_page_is_refused(tmp_path: Path) -> None:
    run = suite_in(tmp_path).run("--memory-earlier=none.html")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "--memory-earlier: the comparison stands in the page that --memory-report" in run.errors


def test_an_earlier_file_in_the_ini_file_waits_for_a_page(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    suite.write("pytest.ini", f"{INI}memory_earlier = none.html\n")
    assert suite.run().code == 0


@pytest.mark.slow
def test_both_engines_write_one_page(tmp_path: Path) -> None:
    """The session that runs natively before the other one writes nothing."""
    suite = suite_in(tmp_path)
    same = "--memory-earlier=report.html"
    baseline = ("--memory-baseline=base.json", "--memory-baseline-update")
    log = "--memory-log=memory.jsonl"
    run = suite.run("--valgrind", "--heapcheck", PAGE, same, log, *baseline)
    assert run.code == 0, run.output
    assert len(page(suite, TREND)["runs"]) == 1
    assert page(suite)["run"]["checks"] == ["valgrind", "heapcheck"]
    assert len((tmp_path / "memory.jsonl").read_text().splitlines()) == 2
    assert (run.output + run.errors).count("0 findings written to ") == 1


@pytest.mark.slow
def test_the_wheel_has_all_that_the_page_is_made_from(tmp_path: Path) -> None:
    """It is built from a copy, as a build leaves files behind."""
    left_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "*.so", "__pycache__")
    shutil.copytree(HERE.parent, tmp_path / "copy", ignore=left_out)
    build = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", *build, f"--wheel-dir={tmp_path}", str(tmp_path / "copy")],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    there = set(zipfile.ZipFile(wheel).namelist())
    source = HERE.parent / "pytest_valgrind" / "report_files" / "page"
    files = {str(path.relative_to(HERE.parent)) for path in source.rglob("*") if path.is_file()}
    assert len(files) > 15
    assert files <= there
