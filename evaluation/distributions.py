"""Run the example and the scenarios on Debian's releases, with the valgrind and Python of each.

    python evaluation/distributions.py [--work DIR] [DISTRIBUTION ...]

Every release lives in a root folder, which debootstrap makes. One that is there is used as it is:
for a newer sid, remove the old one. In it the project is compiled and installed for Debian's Python
and for the debug build of the same version; what else it needs comes from PyPI.

Prints a Markdown table and, below it, every test that failed. The exit code is 1 if anything is not
as it should be. Needs root and the network, and takes an hour.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chroots import PYTHONS, ROOTS, Root, install_in, interpreters_in, label_in
from environments import BuildError, Run, TestResult, markdown, say

HEAD = ("distribution", "valgrind", "interpreter", "`pytest --valgrind`", "scenarios")
EXPECTED = "4 failed, 2 passed, 3 xfailed"
TESTS = ("tests/integration/test_scenarios.py", "tests/integration/test_compatibility.py")


@dataclass(frozen=True)
class Result:
    """How a release came out with an interpreter."""

    release: str
    valgrind: str = "-"
    interpreter: str = "-"
    example: Run | None = None  #: None if the project could not be built
    scenarios: Run | None = None

    @property
    def row(self) -> list[object]:
        """The table's row."""
        runs = ["not built", "-"]
        if self.example and self.scenarios:
            runs = [_totals(self.example), _totals(self.scenarios)]
        return [self.release, self.valgrind, self.interpreter, *runs]

    @property
    def is_good(self) -> bool:
        """Whether everything is as it should be."""
        if not self.example or not self.scenarios:
            return False
        return _totals(self.example) == EXPECTED and self.scenarios.code == 0

    @property
    def details(self) -> Iterator[str]:
        """The tests that failed, as a list in Markdown."""
        for test in self._failed:
            line = test.message.partition("\n")[0]
            yield f"- {self.release}, {self.interpreter}: `{test}`: {line}"

    @property
    def _failed(self) -> list[TestResult]:
        tests = self.scenarios.tests if self.scenarios else None
        return [test for test in tests or [] if test.failed]


def main() -> int:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("distributions", nargs="*", metavar="DISTRIBUTION", help="default: all")
    parser.add_argument("--work", type=Path, default=ROOTS)
    options = parser.parse_args()
    if unknown := set(options.distributions) - set(PYTHONS):
        parser.error(f"no such distribution: {', '.join(sorted(unknown))}: {', '.join(PYTHONS)}")
    if os.geteuid():
        parser.error("only root can make root folders and run commands in them.")
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    results = [
        result
        for release in options.distributions or PYTHONS
        for result in _results(Root(work / release), release)
    ]
    print(markdown(HEAD, [result.row for result in results]), end="\n\n")
    for line in [line for result in results for line in result.details]:
        print(line)
    return int(not all(result.is_good for result in results))


def _results(root: Root, release: str) -> Iterator[Result]:
    """Run everything in a release, with either build of its Python."""
    try:
        root.make(release)
        with root.open():
            valgrind = root.ask("valgrind", "--version").removeprefix("valgrind-")
            for interpreter in interpreters_in(release):
                yield _result(root, release, valgrind, interpreter)
    except BuildError as error:
        say(str(error))
        yield Result(release)


def _result(root: Root, release: str, valgrind: str, interpreter: str) -> Result:
    """Build the project for an interpreter, and run the example and the scenarios."""
    say(f"{release}: {interpreter}")
    place = f"/srv/{interpreter}"
    name = interpreter
    try:
        name = label_in(root, interpreter)
        install_in(root, interpreter, place)
    except BuildError as error:
        say(str(error))
        return Result(release, valgrind, name)
    # Out of reach of the project's own settings for pytest.
    example = root.run_pytest(place, f"{place}/example", ["--valgrind"])
    say(f"{release}: {interpreter}: {_totals(example)} in {example.seconds:.0f} s")
    scenarios = root.run_pytest(place, f"{place}/project", TESTS)
    say(f"{release}: {interpreter}: {_totals(scenarios)} in {scenarios.seconds:.0f} s")
    return Result(release, valgrind, name, example, scenarios)


def _totals(run: Run) -> str:
    """Return pytest's last line without the time, or that there was none."""
    if not run.completed:
        return f"not completed ({run.code})"
    last = run.output.splitlines()[-1]
    return re.sub(r" in [\d.:s() ]+$", "", last.strip("= "))


if __name__ == "__main__":
    sys.exit(main())
