"""Prints how each kind of crash is reported, for each way to run the tests.

    python evaluation/crashes.py [--work DIR] [--python INTERPRETER]

tests/suites/crashes is run in three ways: in one process at a time, each kind of crash by itself
between tests that are harmless; in one run that goes on after each crash; and with two workers of
pytest-xdist. So are two modules in which the process dies at import and at its end. Prints a
Markdown table: a row for each kind. The exit code is 1 if a crash was not reported on its test with
its stack, if another outcome was lost, or if pytest's exit code was not that of failed tests.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from environments import (
    REPOSITORY,
    Run,
    build_plugin,
    make_environment,
    markdown,
    run_suite,
    say,
)
from references import build_extension

sys.path.insert(0, str(REPOSITORY / "tests"))

from crash_rows import ELSEWHERE, FRAMES, KINDS

TESTS = REPOSITORY / "tests"
SECONDS = 1200
BEFORE, AFTER = "test_before", "test_after"
_FAILED = 1


def main() -> int:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-crashes"))
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    environment = make_environment(arguments.work / "environment", arguments.python)
    environment.install_plugin(build_plugin(environment, arguments.work))
    environment.install("pytest-xdist")
    suite = arguments.work / "crashes"
    shutil.copytree(TESTS / "suites" / "crashes", suite, dirs_exist_ok=True)
    (suite / "pytest.ini").write_text("[pytest]\n")
    build_extension(environment, suite)
    say("resume")
    resumed = run_suite(environment, suite, ["--valgrind-resume"], seconds=SECONDS, name="resumed")
    say("two workers")
    words = ["-n2", "--max-worker-restart=20"]
    shared = run_suite(environment, suite, words, seconds=SECONDS, name="shared")
    rows = []
    for kind, words_of_death in KINDS.items():
        say(kind)
        chosen = " or ".join((BEFORE, kind, AFTER))
        alone = run_suite(environment, suite, ["-k", chosen], seconds=SECONDS, name=kind)
        cells = [_cell(alone, kind, (BEFORE,), (AFTER,))]
        cells += [_cell(run, kind, (BEFORE, AFTER), ()) for run in (resumed, shared)]
        rows.append([kind.removeprefix("test_").replace("_", " "), words_of_death, *cells])
    for when, (module, words_of_death) in ELSEWHERE.items():
        say(when)
        suite = arguments.work / when.replace(" ", "-")
        suite.mkdir(exist_ok=True)
        (suite / "pytest.ini").write_text("[pytest]\n")
        (suite / "test_dies.py").write_text(module)
        build_extension(environment, suite)
        cells = []
        for words in ([], ["--valgrind-resume"], ["-n2", "--max-worker-restart=20"]):
            run = run_suite(environment, suite, words, seconds=SECONDS)
            cells.append(_cell_of_no_test(run, when, words_of_death))
        rows.append([when, "died of SIGSEGV", *cells])
    head = ["crash", "reported as", "one process", "`--valgrind-resume`", "`-n 2`"]
    print(markdown(head, rows))
    return int(any(cell.startswith("NO") for row in rows for cell in row))


def _cell(run: Run, kind: str, passed: Sequence[str], not_run: Sequence[str]) -> str:
    tests = {test.name: test for test in run.tests or []}
    dead = tests.get(kind)
    if dead is None or not dead.message.startswith(f"[VALGRIND CRASH] {KINDS[kind]}"):
        return "NO: not reported on its test"
    if FRAMES.get(kind, "") not in dead.text:
        return "NO: without its stack"
    if any(name not in tests or tests[name].failed for name in passed):
        return "NO: an outcome is lost"
    if any(name not in run.output for name in not_run):
        return "NO: not said what was not run"
    if run.code != _FAILED:
        return f"NO: exit code {run.code}"
    stack = "its stack" if kind in FRAMES else "it leaves no stack"
    return f"right test, {stack}; the others' outcomes; exit code {run.code}"


def _cell_of_no_test(run: Run, when: str, words_of_death: str) -> str:
    if run.output.count(words_of_death) != 1:
        return "NO: not reported once"
    if "  > crash (defective.c:" not in run.output:
        return "NO: without its stack"
    passed = [test for test in run.tests or [] if test.name == BEFORE and not test.failed]
    if len(passed) != (when == "at exit"):
        return "NO: an outcome is lost"
    if run.code != _FAILED:
        return f"NO: exit code {run.code}"
    return f"reported by itself, its stack; exit code {run.code}"


if __name__ == "__main__":
    sys.exit(main())
