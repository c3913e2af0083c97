"""Runs psleak's own tests with psleak, and with our names in its place.

    python evaluation/compare_psleak.py [--work /tmp/pytest-valgrind-psleak]

The sources of psleak are downloaded from the package index. Its tests run with psleak itself, and
then with a module ``psleak`` that has all names of ``pytest_valgrind``, as if a user had changed
the import: natively, and with ``--heapcheck``, where exact counters decide. Prints a Markdown
table with a row for each test that ends in different ways, and the totals. The exit code is 1
if a test of what psleak documents passes with psleak only.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
from pathlib import Path

from environments import (
    PYENV,
    Environment,
    Run,
    TestResult,
    build_plugin,
    make_environment,
    markdown,
    run_or_raise,
    run_suite_natively,
    say,
)

PSLEAK, PSUTIL = "psleak==0.1.6", "psutil==7.2.2"
SECONDS = 1500.0
#: What takes the place of psleak: a user would write ``import pytest_valgrind as psleak``.
STAND_IN = """\
from pytest_valgrind import *
from pytest_valgrind.around_call.cyclic_garbage import CyclicGarbage as GCDebugger
def _emit_warnings(): raise NotImplementedError
_warnings_emitted = False
"""
#: What psleak asks for.
MALLOC = ("PYTHONMALLOC=malloc", "PYTHONUNBUFFERED=1")
#: Tests of what only psleak has inside, by a part of their names, and why they differ.
INNER = {
    "TestEmitWarnings": "of a private function",
    "TestGCDebugger": "of a class that psleak does not document",
    "TestMemleakDetectionAlgo": "replaces private methods; our unit tests have the same traces",
    "TestMemoryLeakTestCaseConfig": "replaces private methods",
    "test_pythonmalloc_not_set": "nothing is skipped where the engine counts",
    "TestRssOnlyGrowth": "pages of a map that is there already: nothing was allocated",
}


def main() -> int:
    """Run everything, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-psleak"))
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    interpreter = str(PYENV / "3.11.7" / "bin" / "python")
    theirs = make_environment(work / "theirs", interpreter)
    ours = make_environment(work / "ours", interpreter)
    theirs.install("pytest", "setuptools", PSLEAK, PSUTIL)
    ours.install("pytest", "setuptools", PSUTIL)
    ours.install_plugin(build_plugin(ours, work))
    directory = _suite(theirs, work)
    say("psleak")
    runs = [run_suite_natively(theirs, directory, (), seconds=SECONDS, variables=MALLOC)]
    (directory / "tests" / "psleak.py").write_text(STAND_IN)
    say("ours, natively")
    runs.append(run_suite_natively(ours, directory, (), seconds=SECONDS, variables=MALLOC))
    say("ours, --heapcheck")
    words = ("--heapcheck", "--memory-leak-check=off")
    runs.append(run_suite_natively(ours, directory, words, seconds=SECONDS))
    return _print(runs)


def _suite(environment: Environment, work: Path) -> Path:
    """Return a directory with psleak's tests, and their extension built."""
    pip = [str(environment.python), "-m", "pip", "download", "--quiet", "--no-deps"]
    run_or_raise([*pip, "--no-binary=psleak", "--dest", str(work), PSLEAK])
    with tarfile.open(next(work.glob("psleak-*.tar.gz"))) as archive:
        archive.extractall(work, filter="data")
    directory = next(path for path in work.glob("psleak-*") if path.is_dir())
    build = f"cd '{directory}' && '{environment.python}' tests/build_ext.py build_ext --inplace"
    run_or_raise(["sh", "-c", build])
    # psleak itself is the installed one, and what is in its place stands beside the tests.
    (directory / "psleak.py").unlink(missing_ok=True)
    (directory / "tests" / "psleak.py").unlink(missing_ok=True)
    (directory / "pyproject.toml").unlink(missing_ok=True)
    (directory / "pytest.ini").write_text("[pytest]\ntestpaths = tests\npythonpath = . tests\n")
    return directory


def _print(runs: list[Run]) -> int:
    outcomes = [
        {f"{test.module}::{test.name}": _outcome(test) for test in run.tests or ()} for run in runs
    ]
    names = sorted(set().union(*outcomes))
    rows: list[list[object]] = []
    is_right = True
    for name in names:
        found = [outcome.get(name, "not run") for outcome in outcomes]
        why = next((words for part, words in INNER.items() if part in name), "")
        if len(set(found)) > 1:
            rows.append([f"`{name}`", *found, why])
            is_right &= found[0] != "passed" or bool(why)
    passed = [list(outcome.values()).count("passed") for outcome in outcomes]
    rows.append([f"passed, of {len(names)}", *passed, ""])
    rows.append(["seconds", *(f"{run.seconds:.0f}" for run in runs), ""])
    head = ("test of psleak 0.1.6", "psleak", "ours, natively", "ours, `--heapcheck`", "")
    print(markdown(head, rows))
    return int(not is_right)


def _outcome(test: TestResult) -> str:
    if test.failed:
        return "failed"
    return "skipped" if test.skipped else "passed"


if __name__ == "__main__":
    sys.exit(main())
