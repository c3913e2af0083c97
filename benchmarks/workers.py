"""What two pytest-xdist workers gain, and whether all runs find the same.

    python benchmarks/workers.py --suite small mixed --tests 400 --rounds 3

Each suite runs by ``pytest --valgrind`` and by ``pytest --valgrind -n 2``, round by round. Prints a
Markdown table of the least seconds from start to end; what it takes to start is the time of a suite
of two tests. What is found is compared test by test: outcome and message. The exit code is 1 if two
runs do not agree.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from bench import RUNNERS, Place, Runner, measure, prepare, terminate, write
from suites import SUITES_FOR_WORKERS, Package, Suite

ALONE, SHARED = RUNNERS["ours"], RUNNERS["ours-two-workers"]
HEAD = (
    "| suite | tests | `--valgrind`, s | `-n 2`, s | times faster | start, s | `-n 2`, s "
    "| times faster without | runs of each | that agree | failed |\n"
    "|---" + "|---:" * 10 + "|"
)
#: Of a test: what became of it, and why.
Outcome = tuple[str, str]


@dataclass(frozen=True)
class Timed:
    """A run's time, and what it found."""

    seconds: float
    outcomes: dict[str, Outcome]


class Comparison:
    """Both ways to run a suite."""

    def __init__(self, suite: Suite, place: Place, work: Path, asked: argparse.Namespace) -> None:
        self._suite = suite
        self._place = place
        self._work = work
        self._asked = asked
        self._results = work / "workers" / suite.name
        self._results.mkdir(parents=True, exist_ok=True)

    def row(self) -> tuple[str, bool]:
        """Return a row of the table, and whether all runs agree."""
        starts = {}
        if not isinstance(self._suite.tests, Package):
            directory = write(self._suite, self._work, 2)
            # The first measures what is the interpreter's own, and leaves byte code.
            self._run(ALONE, directory, "warm-up")
            starts = self._least(self._runs(directory, min(self._asked.rounds, 3), "start-"))
        directory = write(self._suite, self._work, self._asked.tests)
        runs = self._runs(directory, self._asked.rounds)
        every = [run.outcomes for of_way in runs.values() for run in of_way]
        agreeing = sum(outcomes == every[0] for outcomes in every)
        least = self._least(runs)
        cells = [self._suite.name, str(len(every[0])), *_compared(least[ALONE], least[SHARED])]
        if starts:
            cells += _compared(starts[ALONE], starts[SHARED])[:2]
            rest = {way: least[way] - starts[way] for way in least}
            cells.append(_compared(rest[ALONE], rest[SHARED])[-1])
        else:
            cells += ["-"] * 3
        failed = sum(outcome == "failure" for outcome, _ in every[0].values())
        cells += [str(self._asked.rounds), f"{agreeing} of {len(every)}", str(failed)]
        return f"| {' | '.join(cells)} |", agreeing == len(every)

    def _runs(self, directory: Path, rounds: int, name: str = "") -> dict[Runner, list[Timed]]:
        runs: dict[Runner, list[Timed]] = {ALONE: [], SHARED: []}
        for number in range(1, rounds + 1):
            for way, of_way in runs.items():
                of_way.append(self._run(way, directory, f"{name}{number}"))
        return runs

    @staticmethod
    def _least(runs: dict[Runner, list[Timed]]) -> dict[Runner, float]:
        return {way: min(run.seconds for run in of_way) for way, of_way in runs.items()}

    def _run(self, way: Runner, directory: Path, number: str) -> Timed:
        name = f"{way.name}-{number}"
        xml = self._results / f"{name}.xml"
        command = [
            *way.command(self._place, self._results / f"{name}.log"),
            f"--junitxml={xml}",
            *self._suite.words,
        ]
        output = self._results / f"{name}.txt"
        run = measure(command, directory, output, self._asked.timeout)
        if not run.counts:
            sys.exit(f"{self._suite.name} {name}: {run.end}; see {output}")
        print(f"{self._suite.name} {name}: {run.wall:.1f} s, {run.end}", file=sys.stderr)
        return Timed(run.wall, dict(_outcomes(xml)))


def _compared(alone: float, shared: float) -> Sequence[str]:
    return f"{alone:.1f}", f"{shared:.1f}", f"{alone / shared:.2f}"


def _outcomes(xml: Path) -> Iterator[tuple[str, Outcome]]:
    for case in ElementTree.parse(xml).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        ends = {child.tag: child for child in case}
        for tag in ("failure", "error", "skipped"):
            if tag in ends:
                yield name, (tag, ends[tag].get("message", ""))
                break
        else:
            yield name, ("passed", "")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option("--python", type=Path, default=Path(sys.executable), help="the interpreter to measure")
    option("--work", type=Path, default=Path(tempfile.gettempdir(), "pytest-valgrind-bench"))
    option("--tests", type=int, default=400, metavar="N", help="tests in a suite (%(default)s)")
    option("--rounds", type=int, default=2, metavar="N", help="runs of each kind (%(default)s)")
    option("--timeout", type=float, default=3600, help="seconds for one run (%(default)s)")
    option("--suite", nargs="+", choices=SUITES_FOR_WORKERS, default=list(SUITES_FOR_WORKERS))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, terminate)
    python = asked.python.absolute()
    work = asked.work.absolute() / str(python).strip("/").replace("/", "-")
    work.mkdir(parents=True, exist_ok=True)
    suites = [SUITES_FOR_WORKERS[name] for name in asked.suite]
    place = prepare(python, work, suites, [ALONE, SHARED])
    print(f"{place.versions}; {os.cpu_count()} cores.", HEAD, sep="\n\n", flush=True)
    all_agree = True
    for suite in suites:
        row, agrees = Comparison(suite, place, work, asked).row()
        all_agree = all_agree and agrees
        print(row, flush=True)
    return int(not all_agree)


if __name__ == "__main__":
    sys.exit(main())
