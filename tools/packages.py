"""Runs the own tests of packages that are thought to be without fault under ``pytest --valgrind``.

    python tools/packages.py --work /tmp/tools-work [PACKAGE...] [--python INTERPRETER...]

Each package is compiled from its sdist with debug information, and its tests run from the sdist,
to their end. What fails because of what valgrind found is either a defect of the package, to be
told to its developers, or a false alarm of ours.

Prints a Markdown table and, below it, every test that failed because of what valgrind found, with
the reason. The exit code is 1 if there is one, or if a run did not come to its end. The output of
every run stays in the directory ``--work``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from environments import (
    INTERPRETERS,
    Environment,
    Run,
    available,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_suite,
    say,
)

HEAD = (
    *("package", "version", "interpreter", "tests", "skipped"),
    *("failed by valgrind", "failed otherwise", "not completed", "seconds"),
)
FLAGS = "-g"


@dataclass(frozen=True)
class Package:
    """A package whose tests are in its sdist."""

    name: str
    version: str
    #: Folder of the package's own modules, which must not be imported instead of the compiled ones.
    sources: str
    tests: str = "tests"
    #: Which files of tests are benchmarks, and left out.
    benchmarks: str = ""
    #: What the tests need.
    requirements: tuple[str, ...] = ()
    #: More words of pytest's command line.
    words: tuple[str, ...] = ()
    #: Whether every file of tests runs in a process of its own: a leak check looks at all of
    #: memory, and the tests that pytest has collected are a good part of that.
    apart: bool = False
    seconds: float = 3600  #: at most, for a process


PACKAGES = (
    Package("markupsafe", "3.0.4", sources="src"),
    Package(
        "multidict",
        "7.2.1",
        sources="multidict",
        requirements=("coverage", "objgraph", "psutil"),
        benchmarks="*_benchmarks.py",
        # The first as the package's own options have it; the second have no C to check.
        words=("-m", "not hypothesis and not pure_python"),
        apart=True,
    ),
)


@dataclass(frozen=True)
class Result:
    """How the tests of a package came out with an interpreter."""

    package: Package
    interpreter: str  #: as the table calls it
    runs: dict[str, Run]  #: by the file or folder of the tests

    @property
    def row(self) -> list[object]:
        """The table's row."""
        tests = [test for run in self.runs.values() for test in run.tests or []]
        failed = [test for test in tests if test.failed]
        by_valgrind = [test for test in failed if test.failed_by_valgrind]
        return [
            self.package.name,
            self.package.version,
            self.interpreter,
            len(tests),
            sum(test.skipped for test in tests),
            len(by_valgrind),
            len(failed) - len(by_valgrind),
            ", ".join(self.not_completed) or "none",
            sum(run.seconds for run in self.runs.values()),
        ]

    @property
    def not_completed(self) -> list[str]:
        """The files whose run did not come to its end, with the exit code."""
        return [
            f"{Path(name).name} ({run.code})"
            for name, run in self.runs.items()
            if not run.completed
        ]

    @property
    def details(self) -> Iterator[str]:
        """The tests that failed, as a list in Markdown."""
        where = f"{self.package.name}, {self.interpreter}"
        for run in self.runs.values():
            for test in [*run.failed_by_valgrind, *run.failed_otherwise]:
                yield f"- {where}: `{test}`: {test.message.partition(chr(10))[0]}"


def main() -> int:
    """Run the tests of the packages and return the exit code."""
    options = _options()
    work = options.work.resolve() / "packages"
    work.mkdir(parents=True, exist_ok=True)
    packages = [
        package for package in PACKAGES if not options.packages or package.name in options.packages
    ]
    results = [
        _result(package, interpreter, work, options.files)
        for interpreter in available(options.python)
        for package in packages
    ]
    print(markdown(HEAD, [result.row for result in results]), end="\n\n")
    for line in [line for result in results for line in result.details]:
        print(line)
    return int(not results or any(_is_bad(result) for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="default: all")
    parser.add_argument("--python", nargs="+", default=INTERPRETERS, metavar="INTERPRETER")
    parser.add_argument(
        "--files",
        nargs="+",
        default=["test_*.py"],
        metavar="GLOB",
        help="of packages whose files run apart, run only these",
    )
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-tools"))
    return parser.parse_args()


def _is_bad(result: Result) -> bool:
    return bool(result.not_completed) or any(run.failed_by_valgrind for run in result.runs.values())


def _result(package: Package, interpreter: str, work: Path, globs: list[str]) -> Result:
    """Build a package and run its tests."""
    name = label(interpreter)
    place = work / f"{package.name}-{Path(interpreter).name}-{name.split()[0]}"
    shutil.rmtree(place, ignore_errors=True)
    environment = make_environment(place / "environment", interpreter)
    environment.install_plugin(build_plugin(environment, place))
    source = environment.download_source(package.name, package.version, place)
    if package.requirements:
        environment.install(*package.requirements)
    environment.install_from_source(source, FLAGS)
    shutil.rmtree(source / package.sources)
    runs = {}
    for tests in _parts(package, source, globs):
        say(f"{package.name}, {name}: {tests}")
        runs[tests] = _run(package, environment, source, tests)
    return Result(package, name, runs)


def _parts(package: Package, source: Path, globs: list[str]) -> list[str]:
    """Return what to run in a process of its own each."""
    if not package.apart:
        return [package.tests]
    tests = source / package.tests
    found = [path for glob in globs for path in sorted(tests.glob(glob))]
    return [
        str(path.relative_to(source))
        for path in found
        if not (package.benchmarks and path.match(package.benchmarks))
    ]


def _run(package: Package, environment: Environment, source: Path, tests: str) -> Run:
    words = ["-o", "addopts=", *package.words, tests]
    if package.benchmarks:
        words.append(f"--ignore-glob={package.benchmarks}")
    run = run_suite(environment, source, words, seconds=package.seconds)
    kept = source.with_name(f"{Path(tests).stem}.out")
    kept.write_text(run.output)
    return run


if __name__ == "__main__":
    sys.exit(main())
