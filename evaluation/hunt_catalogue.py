"""Runs the catalogue of leaks and innocents with ``pytest -R :``, again and again.

    python evaluation/hunt_catalogue.py FOLDER [--runs 20] [--work /tmp/hunt] [--python PATH ...]

The folder is that of evaluation/catalogue.py. Prints a Markdown table: on each interpreter, how
many of the leaks were found in every run, of how many something was named, what else was blamed,
and what a run took. The exit code is 1 if a run has missed a leak or blamed an innocent.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from pathlib import Path

from catalogue import SECONDS, build_suite
from environments import (
    ALL_INTERPRETERS,
    available,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_suite_natively,
    say,
)

LEAKS = 23
#: A line of the summary: the test, what grows, and in brackets what is known of it.
LINE = re.compile(r"^\S+?::(test_.+?): (leaked [^(]*)(\(.*\))?$", re.MULTILINE)
HEAD = ("CPython", "runs", "leaks found in every run", "named in every run", "blamed", "seconds")


def main() -> int:
    """Run everything, print the table, and return the exit code."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    wheel: Path | None = None
    rows = []
    is_right = True
    for interpreter in options.python or available(ALL_INTERPRETERS):
        name = label(interpreter)
        environment = make_environment(options.work / name.replace(" ", "-"), interpreter)
        wheel = wheel or build_plugin(environment, options.work)
        environment.install_plugin(wheel)
        environment.install("pytest", "hypothesis", "pytest-asyncio", "setuptools")
        directory = build_suite(environment, options.folder)
        found: Counter[str] = Counter()
        named: Counter[str] = Counter()
        blamed: Counter[str] = Counter()
        seconds = 0.0
        for number in range(options.runs):
            say(f"{name}: run {number + 1} of {options.runs}")
            run = run_suite_natively(environment, directory, ("-R", ":"), seconds=SECONDS)
            seconds += run.seconds
            is_right &= run.completed
            for test, _, what in LINE.findall(run.output):
                is_leak = test.startswith("test_leak[")
                (found if is_leak else blamed)[test] += 1
                named[test] += bool(what) and is_leak
        every = sum(count == options.runs for count in found.values())
        names = sum(count == options.runs for count in named.values())
        is_right &= every == LEAKS and not blamed
        words = ", ".join(f"{test} ({count})" for test, count in sorted(blamed.items())) or "none"
        of_all = (f"{every} of {LEAKS}", f"{names} of {LEAKS}", words)
        rows.append([name, options.runs, *of_all, f"{seconds / options.runs:.1f}"])
    print(markdown(HEAD, rows))
    return int(not is_right)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("CATALOGUE"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-hunt"))
    parser.add_argument("--python", nargs="*", default=[], metavar="PATH")
    options = parser.parse_args()
    if options.folder is None or not Path(options.folder).is_dir():
        parser.error("name the folder of the catalogue, as argument or in CATALOGUE")
    options.folder = Path(options.folder).resolve()
    options.work = options.work.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
