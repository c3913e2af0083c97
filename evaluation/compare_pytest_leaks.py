"""Compares with pytest-leaks: which of the same planted leaks each finds, and what that takes.

    python evaluation/compare_pytest_leaks.py [--work DIR] [INTERPRETER]

pytest-leaks runs each test several times (``-R :``) and looks at how many references there are in
all, which only a debug build counts. The suites are tests/suites/references/test_losing.py, and
one with what only one of the two can find. Prints a Markdown table; the exit code is 1 if
``pytest --valgrind`` has missed what it should find, or blamed a test that loses nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from environments import (
    REPOSITORY,
    Environment,
    Run,
    build_plugin,
    is_debug,
    label,
    make_environment,
    markdown,
    run_suite,
    run_suite_natively,
    say,
)
from references import build_extension

sys.path.insert(0, str(REPOSITORY / "tests"))

from reference_rows import CLEAN, LOST

PYTEST_LEAKS = "0.3.1"
SECONDS = 3600.0
OTHERS = "test_others.py"
# Writes down that a test has run.
CONFTEST = """\
from pathlib import Path

def pytest_runtest_call(item):
    with Path(__file__).with_name("runs").open("a") as file:
        print(item.name, file=file)
"""
SUITE = """\
import os

import defective

KEPT = object()
CACHE = []
USED = []

def test_memory():
    defective.leak(1000)

def test_uninitialised():
    defective.decide_uninitialised()

def test_read_past_end():
    defective.read_past_end()

def test_reference_to_what_is_kept():
    defective.leak_reference(KEPT)

def test_file_descriptor():
    os.dup(1)

def test_only_the_first_time():
    if not USED:
        USED.append(True)
        defective.leak_reference([1, 2, 3])

def test_cache_that_grows():
    CACHE.append(object())

# The last, as pytest-leaks does not tear it down, and then could not set up the next.
def test_that_runs_once():
    assert not os.environ.get("IN_USE")
    os.environ["IN_USE"] = "yes"
"""
#: By the names of the suite's tests: what is in them, whether it is a defect, and whether it is one
#: that valgrind knows of.
ROWS = {
    "memory": ("malloc memory that is lost", True, True),
    "uninitialised": ("a decision by uninitialised memory", True, True),
    "read_past_end": ("a read past the end of a block", True, True),
    "only_the_first_time": ("a reference that is lost only the first time", True, True),
    "reference_to_what_is_kept": ("a reference to an object that others keep", True, False),
    "file_descriptor": ("a file descriptor that stays open", True, False),
    "cache_that_grows": ("a cache that grows, no defect", False, False),
    "that_runs_once": ("a test that passes only once, no defect", False, False),
}


class Outcome(NamedTuple):
    """What came of one of the two."""

    run: Run
    found: frozenset[str]  #: tests
    broken: frozenset[str]  #: tests that failed for another reason
    runs: tuple[int, int]  #: of a test, at least and at most


def main() -> int:
    """Run both, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-leaks"))
    parser.add_argument("interpreter", nargs="?", default="/usr/bin/python3.11-dbg")
    options = parser.parse_args()
    if not is_debug(options.interpreter):
        parser.error("pytest-leaks needs a debug build of Python.")
    environment = _environment(options.work, options.interpreter)
    say("pytest --valgrind")
    ours = _run_ours(environment, options.work / "ours")
    say("pytest -R :")
    theirs = _run_theirs(environment, options.work / "theirs")
    say("pytest")
    directory = _suite(environment, options.work / "natively")
    natively = run_suite_natively(environment, directory, (), seconds=SECONDS)
    head = ("", "`pytest --valgrind`", f"`pytest -R :`, pytest-leaks {PYTEST_LEAKS}")
    print(f"CPython {label(options.interpreter)}. Natively, the suite takes", end=" ")
    print(f"{natively.cpu:.0f} seconds of processor time.\n")
    print(markdown(head, _rows(ours, theirs)))
    return int(not _is_as_expected(ours))


def _environment(work: Path, interpreter: str) -> Environment:
    work.mkdir(parents=True, exist_ok=True)
    environment = make_environment(work / "environment", interpreter)
    environment.install_plugin(build_plugin(environment, work))
    environment.install(f"pytest-leaks=={PYTEST_LEAKS}")
    return environment


def _suite(environment: Environment, directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "suites" / "references" / "test_losing.py", directory)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / OTHERS).write_text(SUITE)
    build_extension(environment, directory)
    return directory


def _run_ours(environment: Environment, directory: Path) -> Outcome:
    run = run_suite(environment, _suite(environment, directory), seconds=SECONDS)
    found = frozenset(_name(test.function) for test in run.failed_by_valgrind)
    return _outcome(run, found, directory)


def _run_theirs(environment: Environment, directory: Path) -> Outcome:
    words = ["-p", "no:valgrind", "-R", ":"]
    directory = _suite(environment, directory)
    run = run_suite_natively(environment, directory, words, seconds=SECONDS)
    listed = re.findall(r"^\S+::(\w+)(?:\[.*\])?: leaked ", run.output, re.MULTILINE)
    return _outcome(run, frozenset(_name(function) for function in listed), directory)


def _outcome(run: Run, found: frozenset[str], directory: Path) -> Outcome:
    broken = frozenset(_name(test.function) for test in run.failed_otherwise)
    written = (directory / "runs").read_text().splitlines()
    counts = Counter(written).values()
    return Outcome(run, found, broken, (min(counts), max(counts)))


def _name(function: str) -> str:
    return function.removeprefix("test_")


def _rows(*outcomes: Outcome) -> list[list[object]]:
    rows: list[list[object]] = [
        [f"references lost to {len(LOST)} kinds of objects", *map(_lost, outcomes)],
        ["tests that lose nothing: blamed", *(_names(_blamed(outcome)) for outcome in outcomes)],
    ]
    for name, (what, is_defect, _) in ROWS.items():
        rows.append([what, *(_verdict(outcome, name, is_defect) for outcome in outcomes)])
    rows.append(["each test runs", *(_times(outcome) for outcome in outcomes)])
    rows.append(["seconds of processor time", *(outcome.run.cpu for outcome in outcomes)])
    return rows


def _lost(outcome: Outcome) -> str:
    missed = LOST.keys() - outcome.found
    found = f"{len(LOST) - len(missed)} found"
    return f"{found}, not found: {_names(missed)}" if missed else f"all {found}"


def _blamed(outcome: Outcome) -> set[str]:
    return {*(outcome.found | outcome.broken).intersection(CLEAN)}


def _verdict(outcome: Outcome, name: str, is_defect: bool) -> str:
    if name in outcome.broken:
        return "the test fails"
    is_found = name in outcome.found
    if is_defect:
        return "found" if is_found else "not found"
    return "blamed" if is_found else "not blamed"


def _times(outcome: Outcome) -> str:
    least, most = outcome.runs
    if most == 1:
        return "once"
    return f"{least} times" if least == most else f"{least} to {most} times"


def _names(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in sorted(names)) or "none"


def _is_as_expected(ours: Outcome) -> bool:
    expected = {*LOST, *(name for name, (_, _, is_known) in ROWS.items() if is_known)}
    return ours.found == expected and not ours.broken


if __name__ == "__main__":
    sys.exit(main())
