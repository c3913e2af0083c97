"""The false-positive check: the tests of sound packages, run under ``pytest --valgrind``.

    python evaluation/packages.py --work /tmp/evaluation [PACKAGE...] [--python INTERPRETER...]
        [--engine heapcheck]

Each package is compiled from its sdist with debug information, and its tests run from the sdist,
to their end. What fails because of what valgrind found is either a defect of the package, to be
told to its developers, or a false positive. Where the source has shown that it is a defect, it
is listed below, and counted as one. The same tests then run under plain valgrind with the same
options, without this project: the ratio is that of the seconds of CPU.

With ``--engine heapcheck`` all of this is done natively, and compared with a run of pytest alone.

PyYAML needs libyaml-dev; lz4 and zstandard bring the code of their libraries.

Prints a Markdown table and, below it, every test that failed, with the reason, and what was left
out of the tests. The exit code is 1 if a test failed because of what valgrind found and no known
defect explains, or if a run did not come to its end. The output of every run stays in the directory
``--work``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from environments import (
    INTERPRETERS,
    PYENV,
    Environment,
    Run,
    TestResult,
    available,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_or_raise,
    run_suite,
    run_suite_natively,
    run_suite_plainly,
    say,
)

HEAD = (
    *("package", "version", "interpreter", "tests", "skipped"),
    *("failed by the engine", "of these by known defects", "failed otherwise", "not completed"),
    *("minutes", "x without it"),
)
FLAGS = "-g"


@dataclass(frozen=True)
class Package:
    """A package whose tests are in its sdist."""

    name: str
    version: str
    #: Folder of the package's own modules, which must not be imported instead of the compiled ones.
    sources: str
    #: The compiled module. Some packages do without it if it cannot be built; then nothing is
    #: tried.
    extension: str
    #: Folder of the tests (``test_*``) in `sources`, if they are there; then they are moved to
    #: ``tests``.
    inside: str = ""
    #: Which tests, as words of pytest's command line.
    tests: tuple[str, ...] = ("tests",)
    #: What of the tests does not run, and why.
    left_out: str = ""
    #: What is wrong with it, by the function that valgrind's findings name.
    defects: Mapping[str, str] = field(default_factory=dict)
    #: The tests that come to one, and for which the native engine names the object alone.
    defective_tests: tuple[str, ...] = ()
    #: What the tests need.
    requirements: tuple[str, ...] = ()
    #: More words of pytest's command line.
    words: tuple[str, ...] = ()
    #: Whether every file of tests runs in a process of its own: a leak check looks at all of
    #: memory, and the tests that pytest has collected are a good part of that.
    apart: bool = False
    seconds: float = 3600  #: at most, for a process

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """What runs in a process of its own each, by a name for it."""
        if not self.apart:
            return {self.name: self.tests}
        return {Path(tests).stem: (tests,) for tests in self.tests}

    def explains(self, test: TestResult) -> bool:
        """Whether all that valgrind found in a test comes from known defects."""
        # The message has the findings, each with the innermost function of the package, and before
        # it what the lost object is.
        return test.function in self.defective_tests or all(
            any(f" {function} (" in finding for function in self.defects)
            for finding in test.message.split("; ")
        )


PACKAGES = (
    Package("markupsafe", "3.0.4", sources="src", extension="markupsafe._speedups"),
    Package(
        "multidict",
        "7.2.1",
        sources="multidict",
        extension="multidict._multidict",
        tests=(
            "tests/test_copy.py",
            "tests/test_freelist.py",
            "tests/test_istr.py",
            "tests/test_keys_dedup.py",
            "tests/test_leaks.py",
            "tests/test_mutable_multidict.py",
            "tests/test_pickle.py",
            "tests/test_types.py",
        ),
        left_out="the twin in pure Python; files of tests that take long (all that there is takes "
        "37 minutes), and those that hardly reach C (mypy's, release notes)",
        requirements=("coverage", "objgraph", "psutil"),
        words=("-m", "not hypothesis and not pure_python"),
        apart=True,
    ),
    Package(
        "frozenlist",
        "1.8.0",
        sources="frozenlist",
        extension="frozenlist._frozenlist",
        left_out="the twin in pure Python",
        words=("-k", "not TestFrozenListPy"),
    ),
    Package(
        "immutables",
        "0.21",
        sources="immutables",
        extension="immutables._map",
        left_out="the twin in pure Python; what tries the annotations with mypy",
        # The conftest is mypy's only.
        words=(
            *("--noconftest", "--ignore=tests/test_mypy.py"),
            *("-k", "not PyMapTest and not PyMapNoneTest and not Issue24PyTest"),
        ),
    ),
    Package(
        "wrapt",
        "2.5.2",
        sources="src",
        extension="wrapt._wrappers",
        tests=("tests/core",),
        left_out="what tries the annotations with mypy; the stress tests, which are no pytest's",
    ),
    Package(
        "bitarray",
        "3.12.3",
        sources="bitarray",
        extension="bitarray._bitarray",
        inside="bitarray",
        left_out="the tests of free-threaded builds, which no other can import",
        words=("--ignore=tests/test_free_threading.py",),
        defects={
            "bytereverse": "looks the whole last byte up in a table, with its pad bits, which "
            "nobody has written; harmless, as they are cut off afterwards (docs/found.md)",
        },
    ),
    Package(
        "simplejson",
        "4.3.0",
        sources="simplejson",
        extension="simplejson._speedups",
        inside="simplejson/tests",
        left_out="subinterpreters: CPython loses the interned strings of each, from 3.12 on "
        "(python/cpython#110411)",
        words=("-k", "not TestSubinterpreters"),
    ),
    Package(
        "PyYAML",
        "6.0.3",
        sources="lib",
        extension="yaml._yaml",
        tests=("tests/legacy_tests/test_yaml_ext.py",),
        left_out="`test_yaml.py`, which tries the twin in pure Python",
    ),
    Package("Levenshtein", "0.27.5", sources="src", extension="Levenshtein.levenshtein_cpp"),
    Package(
        "lz4",
        "4.4.5",
        sources="lz4",
        extension="lz4.frame._frame",
        tests=(
            *(f"tests/block/test_block_{number}.py" for number in (0, 1)),
            *(f"tests/frame/test_frame_{number}.py" for number in (0, 4, 6, 7, 8, 9)),
        ),
        left_out="files that are many more combinations of the same parameters, or take minutes "
        "even natively (on gigabytes, or for memory's growth); all data but one where there are "
        "several; streams, which an ordinary build does not have",
        # Some tests have none, and those of one file only the first.
        words=(
            "-k",
            f"data1 or test_frame_7 or not ({' or '.join(f'data{n}' for n in (0, *range(2, 8)))})",
        ),
    ),
    Package(
        "zstandard",
        "0.25.0",
        sources="zstandard",
        extension="zstandard.backend_c",
        left_out="the fuzzing tests, which are skipped unless asked for",
        defects={
            "ZstdCompressionWriter_flush": "its result is never released by "
            "`ZstdCompressionWriter_close`, and lost if it is an int above 256 (indygreg/"
            "python-zstandard#296)",
            "ZstdDecompressionWriter_write": "does not free its buffer if the other stream's "
            "`write` raises",
        },
        defective_tests=("test_tarfile_compat",),
    ),
    Package(
        "regex",
        "2026.11.15",
        sources="regex",
        extension="regex._regex",
        inside="regex/tests",
        left_out="`test_main`, which is no test",
        words=("-k", "not test_main"),
    ),
)


@dataclass(frozen=True)
class Part:
    """The runs of some tests of a package in a process of their own."""

    name: str
    ours: Run
    plain: Run | None  #: None if it was not asked for


@dataclass(frozen=True)
class Result:
    """How the tests of a package came out with an interpreter."""

    package: Package
    interpreter: str  #: as the table calls it
    parts: list[Part]

    @property
    def row(self) -> list[object]:
        """The table's row."""
        tests = [test for part in self.parts for test in part.ours.tests or []]
        failed = [test for test in tests if test.failed]
        by_valgrind = [test for test in failed if test.failed_by_valgrind]
        return [
            self.package.name,
            self.package.version,
            self.interpreter,
            len(tests),
            sum(test.skipped for test in tests),
            len(by_valgrind),
            sum(self.package.explains(test) for test in by_valgrind),
            len(failed) - len(by_valgrind),
            ", ".join(self.not_completed) or "none",
            f"{sum(part.ours.seconds for part in self.parts) / 60:.2f}",
            self._ratio,
        ]

    @property
    def _ratio(self) -> str:
        """How much more CPU the tests took than under plain valgrind, or natively."""
        plain = [part.plain for part in self.parts if part.plain and part.plain.completed]
        if self.not_completed or len(plain) < len(self.parts):
            return "-"
        return f"{sum(part.ours.cpu for part in self.parts) / sum(run.cpu for run in plain):.2f}"

    @property
    def not_completed(self) -> list[str]:
        """The parts whose run did not come to its end, or had no test, with the exit code."""
        return [
            f"{part.name} ({part.ours.code})"
            for part in self.parts
            if not (part.ours.completed and part.ours.tests)
        ]

    @property
    def is_bad(self) -> bool:
        """Whether it is not as it should be."""
        return bool(self.not_completed) or not all(
            self.package.explains(test)
            for part in self.parts
            for test in part.ours.failed_by_valgrind
        )

    @property
    def details(self) -> Iterator[str]:
        """The tests that failed, as a list in Markdown."""
        where = f"{self.package.name}, {self.interpreter}"
        for part in self.parts:
            for test in [*part.ours.failed_by_valgrind, *part.ours.failed_otherwise]:
                yield f"- {where}: `{test}`: {test.message.partition(chr(10))[0]}"


def main() -> int:
    """Run the tests of the packages and return the exit code."""
    options = _options()
    work = options.work.resolve() / "packages"
    work.mkdir(parents=True, exist_ok=True)
    packages = [
        package for package in PACKAGES if not options.packages or package.name in options.packages
    ]
    results = list(_results(packages, available(options.python), work, options))
    for text in _report(packages, results):
        print(text)
    return int(not results or any(result.is_bad for result in results))


def _options() -> argparse.Namespace:
    names = [package.name for package in PACKAGES]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help=f"default: all ({', '.join(names)})"
    )
    parser.add_argument(
        "--python",
        nargs="+",
        default=(*INTERPRETERS, str(PYENV / "3.13.0/bin/python")),
        metavar="INTERPRETER",
    )
    parser.add_argument(
        "--no-plain",
        action="store_false",
        dest="plain",
        help="do not run the tests without this project as well",
    )
    parser.add_argument("--engine", choices=("valgrind", "heapcheck"), default="valgrind")
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-evaluation"))
    return parser.parse_args()


def _results(
    packages: Iterable[Package],
    interpreters: Iterable[str],
    work: Path,
    options: argparse.Namespace,
) -> Iterator[Result]:
    """Build every package with every interpreter and run its tests."""
    packages = list(packages)
    wheel = None
    for interpreter in interpreters:
        for package in packages:
            name = label(interpreter)
            place = work / f"{package.name}-{Path(interpreter).name}-{name.split()[0]}"
            shutil.rmtree(place, ignore_errors=True)
            environment = make_environment(place / "environment", interpreter)
            wheel = wheel or build_plugin(environment, work)
            environment.install_plugin(wheel)
            source = _build(package, environment, place)
            parts = [_run(package, part, environment, source, options) for part in package.parts]
            result = Result(package, name, parts)
            # What there is by then, should the rest not come to its end.
            say(markdown(HEAD, [result.row]).rpartition("\n")[2])
            yield result


def _build(package: Package, environment: Environment, place: Path) -> Path:
    """Install a package, compiled from its sdist; return the directory of its tests."""
    say(f"{package.name} {package.version}, {place.name}")
    source = environment.download_source(package.name, package.version, place)
    if package.requirements:
        environment.install(*package.requirements)
    environment.install_from_source(source, FLAGS)
    if package.inside:
        (source / "tests").mkdir()
        for path in (source / package.inside).glob("test_*"):
            path.rename(source / "tests" / path.name)
    shutil.rmtree(source / package.sources)
    run_or_raise([str(environment.python), "-c", f"import {package.extension}"])
    return source


def _run(
    package: Package,
    part: str,
    environment: Environment,
    source: Path,
    options: argparse.Namespace,
) -> Part:
    """Run a part of a package's tests."""
    words = ["-o", "addopts=", *package.words, *package.parts[part]]
    seconds = package.seconds
    ours = run_suite(environment, source, words, seconds=seconds, name=part, engine=options.engine)
    plainly = None
    if options.plain and options.engine == "heapcheck":
        plainly = run_suite_natively(environment, source, words, seconds=seconds)
    elif options.plain:
        plainly = run_suite_plainly(environment, source, words, ours, seconds=seconds)
    return Part(part, ours, plainly)


def _report(packages: Iterable[Package], results: Iterable[Result]) -> Iterator[str]:
    """Return what to print: the table, the tests that failed, and what was left out."""
    results = list(results)
    yield markdown(HEAD, [result.row for result in results])
    packages = list(packages)
    defects = [
        f"- {package.name}: `{function}` {text}"
        for package in packages
        for function, text in package.defects.items()
    ]
    left_out = [f"- {package.name}: {package.left_out}" for package in packages if package.left_out]
    for heading, lines in (
        ("Failed:", [line for result in results for line in result.details]),
        ("Known defects:", defects),
        ("Left out:", left_out),
    ):
        if lines:
            yield "\n".join(["", heading, "", *lines])


if __name__ == "__main__":
    sys.exit(main())
