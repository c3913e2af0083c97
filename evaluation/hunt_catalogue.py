"""Runs the catalogue of leaks and innocents with ``pytest -R :``, again and again.

    python evaluation/hunt_catalogue.py FOLDER [--runs 20] [--work /tmp/hunt] [--jobs 1]
        [--no-peers] [--python PATH ...]

The folder is that of evaluation/catalogue.py. Prints a Markdown table: on each interpreter, how
many of the leaks were found in every run, of how many something was named, what else was blamed,
and what a run took; and the same of pytest-leaks, psleak and pytest-memray, in one run of each. The
exit code is 1 if a run of ours has missed a leak or blamed an innocent.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from catalogue_peers import run_peers
from catalogue_suite import LEAKS, SECONDS, build_suite, names_of
from environments import (
    ALL_INTERPRETERS,
    Environment,
    available,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_suite_natively,
    say,
)

#: A line of the summary: the test, what grows, and in brackets what is known of it.
LINE = re.compile(r"^\S+?::(test_.+?): (leaked [^(]*)(\(.*\))?$", re.MULTILINE)
HEAD = ("", "runs", "leaks found in every run", "named in every run", "blamed", "seconds a run")


class _Suite(NamedTuple):
    """The catalogue, built for an interpreter."""

    name: str  #: of the interpreter
    environment: Environment
    directory: Path


def main() -> int:
    """Run everything, print the table, and return the exit code."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    suites = list(_suites(options))
    with ThreadPoolExecutor(options.jobs) as jobs:
        ours = list(jobs.map(partial(_of_interpreter, runs=options.runs), suites))
    rows: list[list[object]] = [row for row, _ in ours]
    rows += _of_peers(options) if options.peers else []
    print(markdown(HEAD, rows))
    return int(not all(is_right for _, is_right in ours))


def _suites(options: argparse.Namespace) -> Iterator[_Suite]:
    """Build the catalogue for each interpreter."""
    wheel: Path | None = None
    for interpreter in options.python or available(ALL_INTERPRETERS):
        name = label(interpreter)
        environment = make_environment(options.work / name.replace(" ", "-"), interpreter)
        wheel = wheel or build_plugin(environment, options.work)
        environment.install_plugin(wheel)
        environment.install("pytest", "hypothesis", "pytest-asyncio", "setuptools")
        yield _Suite(name, environment, build_suite(environment, options.folder))


def _of_interpreter(suite: _Suite, runs: int) -> tuple[list[object], bool]:
    """Run the catalogue; return its row, and whether all is as it should be."""
    name, environment, directory = suite
    found: Counter[str] = Counter()
    named: Counter[str] = Counter()
    blamed: Counter[str] = Counter()
    seconds = 0.0
    is_right = True
    for number in range(runs):
        say(f"{name}: run {number + 1} of {runs}")
        run = run_suite_natively(environment, directory, ("-R", ":"), seconds=SECONDS)
        seconds += run.seconds
        is_right &= run.completed
        for test, _, what in LINE.findall(run.output):
            is_leak = test.startswith("test_leak[")
            (found if is_leak else blamed)[test] += 1
            named[test] += bool(what) and is_leak
    every = sum(count == runs for count in found.values())
    names = sum(count == runs for count in named.values())
    words = ", ".join(f"{test} ({count})" for test, count in sorted(blamed.items())) or "none"
    of_all = (f"{every} of {LEAKS}", f"{names} of {LEAKS}", words)
    row: list[object] = [f"`pytest -R :`, {name}", runs, *of_all, f"{seconds / runs:.1f}"]
    # What there is by then, should the rest not come to its end.
    say(markdown(HEAD, [row]).rpartition("\n")[2])
    missed = [f"{test} ({count})" for test, count in sorted(found.items()) if count < runs]
    if missed:
        say(f"{name}: not in every run: {', '.join(missed)}")
    return row, is_right and every == LEAKS and not blamed


def _of_peers(options: argparse.Namespace) -> Iterator[list[object]]:
    for peer, found in run_peers(options.work, options.folder):
        leaks = f"{len(found.leaks)} of {LEAKS}"
        blamed = names_of(found.innocents)
        yield [peer.name, 1, leaks, leaks if peer.names else "none", blamed, found.time]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("CATALOGUE"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-hunt"))
    parser.add_argument("--jobs", type=int, default=1, help="interpreters at a time")
    parser.add_argument("--no-peers", action="store_false", dest="peers")
    parser.add_argument("--python", nargs="*", default=[], metavar="PATH")
    options = parser.parse_args()
    if options.folder is None or not Path(options.folder).is_dir():
        parser.error("name the folder of the catalogue, as argument or in CATALOGUE")
    options.folder = Path(options.folder).resolve()
    options.work = options.work.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
