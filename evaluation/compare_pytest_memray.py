"""Compares with pytest-memray: what each says of the same limits, and what that takes.

    python evaluation/compare_pytest_memray.py [--work DIR] [INTERPRETER]

The tests (limited_tests.py) have what the documentation of pytest-memray describes, and what its
users have asked for. Its own demo is run as it is in the sdist. Prints Markdown tables; the exit
code is 1 if ours has said another thing than it should.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from environments import (
    Environment,
    Run,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_suite_natively,
    say,
)
from limited_tests import ROWS, SUITE
from references import build_extension

PYTEST_MEMRAY = "1.11.0"
MULTIDICT = "6.7.1"
SECONDS = 1800.0
#: The word for a test that goes beyond a limit.
STATUS = "MEMORY PROBLEMS"
#: Runs of which the one counts that took least.
ROUNDS = 3
#: Each keeps the other's plugin out.
THEIRS = ("-p", "no:valgrind")
OURS = ("-p", "no:memray", "--limit-markers")
#: Of its tests, eight modules of which each test is limited. Other ones start processes.
TESTS_OF_MULTIDICT = (
    *("-o", "addopts=", "-p", "no:asyncio", "--c-extensions"),
    *(f"tests/test_{name}.py" for name in ("multidict", "mutable_multidict", "update", "istr")),
    *(f"tests/test_{name}.py" for name in ("copy", "abc", "pickle", "types")),
)
#: Gives every test a limit, as pytest-memray has no default.
LIMIT_ALL = """\
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.limit_memory("500 MB"))
"""
TRIVIAL = """\
import pytest

@pytest.mark.parametrize("n", range(300))
def test(n): pass
"""
#: A test of which more than one run, or another command, says something: by what it does.
BAD_LIMIT = """\
import pytest

@pytest.mark.limit_memory("24 parsecs")
def test_one(): pass
"""
GROWING = """\
import pytest
from pathlib import Path

RUNS = Path("runs")

@pytest.mark.limit_memory("100 MB")
def test_one():
    RUNS.write_text(RUNS.read_text() + "x" if RUNS.exists() else "x")
    bytearray(len(RUNS.read_text()) << 20)
"""
WORKERS = """\
import pytest

@pytest.mark.limit_memory("4 MB")
def test_one():
    bytearray(5 << 20)
"""
# By this name it is there although each run is without it.
_CACHE = ("-p", "_pytest.cacheprovider")
# Where pytest-memray is installed, ours steps back from the flags that it has.
_OLDER = {"--fail-on-increase": "--memory-fail-on-increase"}
_FAIL_ON_INCREASE = "uses more than in its last run, `--fail-on-increase`"
#: What the test does, its text, more words, and whether it is to fail in the last of two runs.
COMMANDS = (
    ("has a limit that is no size", BAD_LIMIT, (), True),
    (_FAIL_ON_INCREASE, GROWING, (*_CACHE, "--fail-on-increase"), True),
    ("uses more than in its last run, without that option", GROWING, _CACHE, False),
    ("uses more, in a worker of pytest-xdist", WORKERS, ("-n1",), True),
)


def main() -> int:
    """Run both, print the tables, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-memray"))
    parser.add_argument("interpreter", nargs="?", default=sys.executable)
    options = parser.parse_args()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    environment = make_environment(work / "environment", options.interpreter)
    environment.install_plugin(build_plugin(environment, work))
    environment.install(f"pytest-memray=={PYTEST_MEMRAY}", "pytest-asyncio", "pytest-xdist")
    directory = _directory(work / "limits", SUITE)
    build_extension(environment, directory)
    runs = [_run(environment, directory, words) for words in (OURS, THEIRS)]
    print(f"CPython {label(options.interpreter)}, pytest-memray {PYTEST_MEMRAY}.\n")
    rows = [*_rows(runs), *_rows_of_commands(environment, work)]
    print(markdown(("a test that", "this project", "pytest-memray"), rows))
    print("\nThe demo of pytest-memray's documentation:\n")
    print(markdown(("", "this project", "pytest-memray"), _demo(environment, work)))
    for title, rows in _costs(environment, work):
        print(f"\n{title}, seconds of processor time in all, the least of {ROUNDS} runs:\n")
        print(markdown(("", "seconds", "times natively", "times the engine alone"), rows))
    return int(any(_failed(runs[0], name) != fails for name, (_, fails) in ROWS.items()))


def _directory(directory: Path, suite: str) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_suite.py").write_text(suite)
    return directory


def _run(
    environment: Environment, directory: Path, words: Sequence[str], path: Path | None = None
) -> Run:
    """Run pytest there.

    :param path: of more plugins.
    """
    say(f"pytest {' '.join(words)}")
    variables = [f"PYTHONPATH={path}"] if path else []
    return run_suite_natively(environment, directory, words, seconds=SECONDS, variables=variables)


def _failed(run: Run, name: str) -> bool:
    return any(test.name == name and test.failed for test in run.tests or [])


def _rows(runs: Sequence[Run]) -> list[list[object]]:
    return [
        [what, *(_verdict(run, name, fails=fails) for run in runs)]
        for name, (what, fails) in ROWS.items()
    ]


def _verdict(run: Run, name: str, *, fails: bool) -> str:
    test = next(test for test in run.tests or [] if test.name == name)
    words = f"fails: {test.message.splitlines()[0]}" if test.failed else "passes"
    if test.skipped and re.search(rf"^{STATUS} \S+::{name}\b", run.output, re.MULTILINE):
        words = "fails, and is skipped in JUnit XML"
    return words if test.failed == fails else f"**{words}**"


def _rows_of_commands(environment: Environment, work: Path) -> Iterator[list[object]]:
    for what, text, words, fails in COMMANDS:
        cells: list[object] = []
        for side in (OURS, THEIRS):
            directory = _directory(work / "commands", text)
            own = [_OLDER.get(word, word) for word in words] if side is OURS else words
            for _ in range(2):
                run = _run(environment, directory, (*side, *own))
            cells.append(_verdict_of_command(run, fails=fails))
        yield [what, *cells]


def _verdict_of_command(run: Run, *, fails: bool) -> str:
    if run.tests and any(test.name == "test_one" for test in run.tests):
        return _verdict(run, "test_one", fails=fails)
    if raised := re.findall(r"^INTERNALERROR> (\S.*)", run.output, re.MULTILINE):
        return f"**the run ends, an internal error:** {raised[-1]}"
    said = re.search(r"ERROR: (.+)", run.output)
    return f"usage error: {said[1]}" if said else "?"


def _demo(environment: Environment, work: Path) -> Iterator[list[object]]:
    source = environment.download_source("pytest-memray", PYTEST_MEMRAY, work / "source")
    text = (source / "docs" / "demo" / "test_ok.py").read_text()
    directory = _directory(work / "demo", text)
    (directory / "test_suite.py").rename(directory / "test_ok.py")
    runs = [_run(environment, directory, words) for words in (OURS, (*THEIRS, "--memray"))]
    yield ["`test_track`", *(_verdict(run, "test_track", fails=False) for run in runs)]
    name = "test_memory_exceed"
    yield [f"`{name}`", *(_verdict(run, name, fails=True) for run in runs)]
    yield ["its status", *(_status(run, name) for run in runs)]
    yield ["where it allocates most", *(_largest(run, directory) for run in runs)]


def _status(run: Run, name: str) -> str:
    found = re.search(rf"^{STATUS} test_ok\.py::{name}\b", run.output, re.MULTILINE)
    return f"`{STATUS}`" if found else "**another**"


def _largest(run: Run, directory: Path) -> str:
    """Return the place that the report lists first."""
    _, _, listed = run.output.partition("List of allocations")
    found = re.search(r"- (\S+) allocated here:\n\s*(\S+)", listed)
    return f"{found[1]}, `{found[2].replace(str(directory), '')}`" if found else "?"


def _costs(environment: Environment, work: Path) -> Iterator[tuple[str, list[list[object]]]]:
    plugins = work / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "limit_all.py").write_text(LIMIT_ALL)
    trivial = _directory(work / "trivial", TRIVIAL)
    yield "300 trivial tests", _table_of_costs(environment, trivial, plugins)
    source = environment.download_source("multidict", MULTIDICT, work / "source")
    environment.install_from_source(source, "-g")
    shutil.rmtree(source / "multidict")  # else it is imported from there
    tests = _run(environment, source, TESTS_OF_MULTIDICT).tests
    assert tests, "with both plugins, nothing ran"
    title = f"{len(tests)} tests of multidict"
    yield title, _table_of_costs(environment, source, plugins, TESTS_OF_MULTIDICT)


def _table_of_costs(
    environment: Environment, directory: Path, path: Path, tests: Sequence[str] = ()
) -> list[list[object]]:
    limit_all = ("-p", "limit_all")
    ways = (
        ("natively, without limits", (*THEIRS, "-p", "no:memray")),
        ("the native engine alone", OURS),
        ("`limit_memory`, this project", (*OURS, *limit_all)),
        ("the same, started again after collection", (*OURS[:2], *limit_all)),
        ("`limit_memory`, pytest-memray", (*THEIRS, *limit_all)),
    )
    # In turns, as the machine is faster at one time than at another.
    runs = [
        [_run(environment, directory, (*words, *tests), path) for _, words in ways]
        for _ in range(ROUNDS)
    ]
    least = [min(run.cpu for run in of_way) for of_way in zip(*runs, strict=True)]
    native, engine = least[:2]
    return [
        [what, f"{cpu:.2f}", f"{cpu / native:.2f}", f"{cpu / engine:.2f}"]
        for (what, _), cpu in zip(ways, least, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
