"""Runs the real bugs of a folder of cases, and compares what is found with what should be.

    python evaluation/real_bugs.py FOLDER [CASE...] --work /tmp/evaluation [--engine heapcheck]

A case is a folder with a ``case.json`` and a ``test_case.py``; the folder's ``setup.sh`` builds an
environment with the bad and one with the good version of the case's package (which takes a while,
the first time). In the bad version, the tests named guilty should fail because of what valgrind
found, and the failure should name a function of the package; in the good version, no test should.
Where a bug ends the process, what is said about its end counts as the failure. The folder of cases
can also be named by the environment variable ``CASES``.

With ``--engine heapcheck`` the cases run natively: lost memory and what the guards see should be
found, a function of the package need not be named, and errors that only valgrind can see are not
expected.

Prints a Markdown table. The exit code is 1 if a case does not come out as it should. Each runs
twice, the second time with a leak check after every test, which must not make a difference.
The output of every run stays in the directory ``--work``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from environments import (
    PYENV,
    BuildError,
    Environment,
    Run,
    build_plugin,
    markdown,
    run_or_raise,
    run_suite,
    say,
)

HEAD = (
    *("case", "kind", "version", "expected", "found", "frame shown", "verdict", "seconds"),
    *("exact checks", "seconds"),
)
OK = "ok"
#: Kinds of bugs that only memcheck sees.
_MEMCHECK_ONLY = ("uninitialised", "invalid-read")


@dataclass(frozen=True)
class Case:
    """A bug that a package shipped and later fixed."""

    directory: Path
    kind: str
    versions: dict[str, str]  #: the bad one and the good one
    guilty: frozenset[str]
    frame: str | None  #: a function that the failure should name

    @classmethod
    def read(cls, directory: Path) -> Case:
        """Read ``case.json``."""
        words = json.loads((directory / "case.json").read_text())
        return cls(
            directory=directory,
            kind=words["kind"],
            versions={side: words[f"{side}_version"] for side in ("bad", "good")},
            guilty=frozenset(words["guilty_tests"]),
            frame=words["frame"],
        )

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.directory.name

    def expected(self, side: str, engine: str) -> frozenset[str]:
        """Return the tests that should fail because of what the engine found."""
        is_seen = engine == "valgrind" or self.kind not in _MEMCHECK_ONLY
        return self.guilty if side == "bad" and is_seen else frozenset()


def main() -> int:
    """Run the cases and return the exit code."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    cases = [Case.read(path.parent) for path in sorted(options.folder.glob("*/case.json"))]
    chosen = [case for case in cases if not options.cases or case.name in options.cases]
    rows = []
    wheel: Path | None = None
    for case in chosen:
        for side, environment in _environments(case, options.work):
            if environment is None:
                row = _row(
                    *(case, side, options.engine),
                    found="",
                    frame="",
                    verdict="NOT BUILT",
                    seconds=0,
                )
                rows.append([*row, "", 0])
                continue
            wheel = wheel or build_plugin(environment, options.work)
            environment.install_plugin(wheel)
            say(f"{case.name}: {case.versions[side]}")
            run = _run(case, side, environment, options)
            exact = _run(case, side, environment, options, "--memory-leak-check=exact")
            rows.append(
                [*_judged(case, side, run, options.engine), _compared(run, exact), exact.seconds]
            )
    print(markdown(HEAD, rows))
    verdicts = {row[HEAD.index("verdict")] for row in rows}
    differ = any(str(row[HEAD.index("exact checks")]).startswith("DIFFERENT") for row in rows)
    return int(not rows or differ or verdicts != {OK})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("CASES"))
    parser.add_argument("cases", nargs="*", help="the cases to run (default: all)")
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-evaluation"))
    parser.add_argument("--engine", choices=("valgrind", "heapcheck"), default="valgrind")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="of a run")
    options = parser.parse_args()
    if options.folder is None or not Path(options.folder).is_dir():
        parser.error("name the folder of cases, as argument or in CASES")
    options.folder = Path(options.folder).resolve()
    options.work = options.work.resolve()
    return options


def _environments(case: Case, work: Path) -> Iterator[tuple[str, Environment | None]]:
    """Build the environments with the bad and the good version; None where that fails."""
    setup = case.directory.parent / "setup.sh"
    versions = os.environ.get("PYENV_VERSIONS", str(PYENV))
    command = ["bash", str(setup), str(work / "cases"), case.name]
    try:
        run_or_raise(command, changes={"PYENV_VERSIONS": versions}, seconds=1800)
    except BuildError as error:
        say(str(error))
    for side in case.versions:
        directory = work / "cases" / f"{case.name}-{side}"
        # The file that setup.sh makes in the end.
        yield side, Environment(directory) if (directory / ".ok").exists() else None


def _run(
    case: Case, side: str, environment: Environment, options: argparse.Namespace, *words: str
) -> Run:
    directory = Path(
        options.work, "runs", "-".join([case.name, side, *(["exact"] if words else [])])
    )
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    shutil.copyfile(case.directory / "test_case.py", directory / "test_case.py")
    words = ("test_case.py", *words)
    return run_suite(environment, directory, words, seconds=options.timeout, engine=options.engine)


def _compared(run: Run, exact: Run) -> str:
    """Return whether exact checks lead to the same verdicts as those of groups."""
    ours, theirs = ((_found(each).keys(), each.completed) for each in (run, exact))
    if ours == theirs:
        return "the same"
    return f"DIFFERENT: {_names(theirs[0])}" + ("" if exact.completed else " (died)")


def _found(run: Run) -> dict[str, str]:
    """Return what is said about the tests that failed because of what valgrind found."""
    return {test.function: test.text for test in run.failed_by_valgrind}


def _judged(case: Case, side: str, run: Run, engine: str) -> list[object]:
    """Return the table's row of a run."""
    expected = case.expected(side, engine)
    found = _found(run)
    frame = ""
    if case.frame and expected & found.keys():
        is_shown = all(case.frame in text for name, text in found.items() if name in expected)
        frame = "yes" if is_shown else "NO" if engine == "valgrind" else "no"
    names = _names(found)
    return _row(
        case,
        side,
        engine,
        found=names if run.completed else f"{names} (died, exit code {run.code})",
        frame=frame,
        verdict=_verdict(expected, run, frame),
        seconds=run.seconds,
    )


def _verdict(expected: frozenset[str], run: Run, frame: str) -> str:
    found = _found(run).keys()
    otherwise = {test.function for test in run.failed_otherwise}
    if innocent := (found | otherwise) - expected:
        return f"WRONG: {_names(innocent)}"
    if not run.completed:
        return "DIED"
    if found == expected and frame != "NO":
        return OK
    return "FRAME MISSING" if found == expected else f"MISSED: {_names(expected - found)}"


def _row(  # noqa: PLR0913 (the columns)
    case: Case, side: str, engine: str, *, found: str, frame: str, verdict: str, seconds: float
) -> list[object]:
    version = f"{case.versions[side]} ({side})"
    expected = _names(case.expected(side, engine))
    return [case.name, case.kind, version, expected, found, frame, verdict, seconds]


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


if __name__ == "__main__":
    sys.exit(main())
