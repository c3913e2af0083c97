"""The planted defects of tests/suites/planted, and what became of each.

tests/integration/test_planted.py asserts every row, and evaluation/planted_defects.py prints them
as a table.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from conftest import HERE, INI, SUITES, build_extension
from planted_kinds import ERRORS, LEAKS
from planted_places import LIMITS, PLACES
from planted_rows import LOST, Row
from suite import Run, Suite

#: Operator delete of C++ is for the mismatched free only; there is no need of a compiler of C++.
FLAGS = ("-g", "-Wl,--no-as-needed", "-l:libstdc++.so.6")
#: How reports name a function of the suite's extension.
_NAMED = re.compile(r"^  > (\w+) \(flaws\.c:\d+\)$", re.MULTILINE)
ROWS = (*ERRORS, *LEAKS, *PLACES, *LIMITS)


@dataclass(frozen=True)
class Judged:
    """What became of a row."""

    row: Row
    found: frozenset[str]  #: the tests with the right report
    blamed: frozenset[str]  #: other tests, whose reports name the function
    named: frozenset[str]  #: the tests whose report names the function
    is_listed: bool

    @property
    def is_as_expected(self) -> bool:
        """Whether all is as the row says."""
        row = self.row
        if self.blamed or (row.listed and not self.is_listed):
            return False
        if row.limit:
            return row.varies or not self.found
        return self.found == {*row.fails} and bool(row.nameless or self.named == self.found)


def run_planted(directory: Path, *engine: str) -> Run:
    """Build the extension and run the suite, in an empty directory.

    :param engine: options, if it is another than valgrind.
    """
    extension, tests = directory / "extension", directory / "tests"
    extension.mkdir()
    tests.mkdir()
    build_extension(HERE / "extensions" / "flaws.c", extension, *FLAGS)
    made = Suite(tests, extension)
    made.write("pytest.ini", INI)
    made.copy(SUITES / "planted")
    return made.run(*(engine or ("--valgrind",)), "--doctest-modules", "--strict-markers")


def not_passed(run: Run) -> set[str]:
    """Return the tests and modules that did not pass or run, though no row says that they fail."""
    ran = run.cases
    may_fail = {name for row in ROWS for name in (row.tests if row.varies else row.fails)}
    missing = {name for row in ROWS for name in row.tests}.difference(ran)
    failed = {name for name, case in ran.items() if case.outcome != "passed"}
    return missing | (failed - may_fail)


def miscounted(run: Run) -> set[str]:
    """Return the tests that failed for more leaks, or fewer, than they have."""
    planted = Counter(name for row in ROWS if row.is_leak for name in row.fails)
    vary = {name for row in ROWS if row.varies for name in row.tests}
    return {
        name
        for name, case in run.cases.items()
        if case.message.count(LOST) != planted[name] and name not in vary
    }


def judge(row: Row, run: Run) -> Judged:
    """Compare a row with what was reported."""
    naming = {name for name, case in run.cases.items() if row.function in _named(case.text)}
    right = {
        name
        for name in row.tests
        if name in run.cases
        and run[name].text.startswith(row.header)
        and all(words in run[name].text for words in row.words)
    }
    return Judged(
        row,
        found=frozenset(right),
        blamed=frozenset(naming.difference(row.tests)),
        named=frozenset(naming.intersection(row.tests)),
        is_listed=bool(row.listed) and _is_listed(row, run.summary),
    )


def _named(report: str) -> set[str]:
    """Return the extension functions in the stacks of a report."""
    return set(_NAMED.findall(report))


def _is_listed(row: Row, summary: list[str]) -> bool:
    """Whether the summary has the function below a heading."""
    starts = [n for n, line in enumerate(summary) if line.startswith(f"{row.listed}:")]
    for line in summary[starts[0] + 1 :] if starts else ():
        if not line.startswith("  "):
            break
        if f": {row.function} (flaws.c:" in line:
            return True
    return False
