"""Prints what is detected: a row for each planted defect of tests/suites/planted.

    python evaluation/planted_defects.py

The suite runs once, under ``pytest --valgrind`` of the interpreter that runs this script. Prints a
Markdown table; the exit code is 1 if a row is not as expected, or if a test without a defect did
not pass.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from environments import REPOSITORY, markdown, say

sys.path.insert(0, str(REPOSITORY / "tests"))

from planted import ROWS, Judged, judge, miscounted, not_passed, run_planted
from suite import Run

HEAD = ("defect", "place", "found", "on the right test", "right frame", "each time")


def main() -> int:
    """Run the suite, print the table, and return the exit code."""
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        run = run_planted(Path(directory))
        judged = [judge(row, run) for row in ROWS]
        print(f"CPython {platform.python_version()}, {_valgrind(run)}\n")
        print(markdown(HEAD, [_cells(each) for each in judged]))
        problems = list(_problems(judged, run))
    for problem in problems:
        say(problem)
    return int(bool(problems))


def _cells(judged: Judged) -> list[str]:
    row = judged.row
    what = [row.what, row.place]
    on_test = f"NO: {', '.join(sorted(judged.blamed))}" if judged.blamed else "yes"
    if row.listed and judged.is_listed:
        return [*what, f'listed as "{row.listed}"', "-", "yes", ""]
    if not judged.found:
        return [*what, f"no: {row.limit}" if row.limit else "NO", "", "", ""]
    if judged.named == judged.found:
        frame = "yes"
    else:
        frame = f"no: {row.nameless}" if row.nameless else "NO"
    return [*what, "yes", on_test, frame, _times(judged)]


def _times(judged: Judged) -> str:
    row = judged.row
    if row.times == 1:
        return ""
    found = len(judged.found) * row.times // len(row.tests)
    return f"{found} of {row.times}"


def _problems(judged: list[Judged], run: Run) -> Iterator[str]:
    """Return, as lines, what is not as expected."""
    for each in judged:
        if not each.is_as_expected:
            yield f"not as expected: {each}"
    for name in sorted(not_passed(run)):
        yield f"not passed, though nothing is to be found: {name}"
    for name in sorted(miscounted(run)):
        yield f"more leaks, or fewer, than planted: {name}"


def _valgrind(run: Run) -> str:
    named = re.search(r"^valgrind: memcheck ([^\s:,]+)", run.output, re.MULTILINE)
    return f"valgrind {named[1]}" if named else "valgrind"


if __name__ == "__main__":
    sys.exit(main())
