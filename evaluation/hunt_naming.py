"""Prints which of the leaks of tests/suites/leaks ``pytest -R :`` finds, and which it names.

    python evaluation/hunt_naming.py [--work /tmp/naming] [--python PATH ...]

Each test of the suite plants another leak, and its marker ``named`` has words that must be said of
it: the object and what keeps it. A line of the test will do as well, as it is where the leak is
made. Prints Markdown: how many were found and named on each interpreter, and of the leaks of C with
``--heapcheck``, where also the C function that allocates what stays can be named; then each leak
with the words that were said of it by the first interpreter. The exit code is 1 if fewer than 95 of
100 were named.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from environments import (
    PYENV,
    REPOSITORY,
    Environment,
    Run,
    available,
    build_plugin,
    label,
    make_environment,
    markdown,
    run_or_raise,
    run_suite_natively,
    say,
)

INTERPRETERS = [
    str(PYENV / version / "bin" / "python") for version in ("3.11.7", "3.10.13", "3.12.1", "3.13.0")
]
SUITE = REPOSITORY / "tests" / "suites" / "leaks"
EXTENSION = REPOSITORY / "tests" / "extensions" / "leaks.c"
SECONDS = 3600.0
#: Of processor time that each test has for being found, a quarter of what it has by default.
HUNTING = "--leaks-seconds=0.5"
LEAST = 0.95
#: What the command has besides -R: with the engine only the leaks of C, of which it knows more.
COMMANDS: dict[str, tuple[str, ...]] = {
    "`-R :`": (),
    "`-R : --heapcheck`": ("--heapcheck", "test_extension.py"),
}
HEAD = (
    *("CPython", "command", "leaks", "found", "named", "with the C function"),
    *("missed", "found, not named", "seconds"),
)
_COMPILE = ("cc", "-O1", "-g", "-w", "-shared", "-fPIC", "-pthread")
_ABOUT_BUILD = "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX'), s.get_path('include'))"
_LEAKED = "[LEAKED]"


@dataclass(frozen=True)
class Planted:
    """A leak, as its test has it."""

    module: str
    test: str
    words: str  #: that are to be said of it; empty if only a line will do
    lines: range  #: of the test
    calls: frozenset[str]  #: functions of the extension

    def is_named_by(self, text: str) -> bool:
        """Whether a failure says what leaks."""
        if self.words and self.words in text:
            return True
        places = re.findall(rf"\b{self.module}\.py:(\d+)", text)
        return any(int(line) in self.lines for line in places)

    def has_function_named_by(self, text: str) -> bool:
        """Whether a failure names the function of C."""
        return any(re.search(rf"\b{name} \({EXTENSION.name}:\d+\)", text) for name in self.calls)


def planted() -> Iterator[Planted]:
    """Yield all leaks."""
    for path in sorted(SUITE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                (words,) = (
                    mark.args[0].value
                    for mark in node.decorator_list
                    if isinstance(mark, ast.Call) and isinstance(mark.args[0], ast.Constant)
                )
                calls = {
                    called.attr
                    for called in ast.walk(node)
                    if isinstance(called, ast.Attribute) and ast.unparse(called.value) == "leaks"
                }
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                yield Planted(path.stem, node.name, str(words), lines, frozenset(calls))


def main() -> int:
    """Run everything, print the tables, and return the exit code."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    leaks = list(planted())
    wheel: Path | None = None
    rows: list[list[object]] = []
    said: list[list[object]] = []
    is_right = True
    for interpreter in available(options.python):
        name = label(interpreter)
        environment = make_environment(options.work / name.replace(" ", "-"), interpreter)
        wheel = wheel or build_plugin(environment, options.work)
        environment.install_plugin(wheel)
        environment.install("pytest")
        directory = _build_suite(environment, options.work / f"suite-{name.replace(' ', '-')}")
        for title, words in COMMANDS.items():
            say(f"{name}: {title}")
            run = run_suite_natively(
                environment, directory, ("-R", ":", HUNTING, *words), seconds=SECONDS
            )
            row, named = _judged(leaks, run, names_functions=bool(words))
            rows.append([name, title, *row])
            is_right &= run.completed and named
            if not said:
                said = list(_said(leaks, run))
    print(markdown(HEAD, rows))
    print()
    print(markdown(("leak", "what is said of it"), said))
    return int(not is_right)


def _judged(leaks: list[Planted], run: Run, *, names_functions: bool) -> tuple[list[object], bool]:
    """Return the cells of a run, and whether it has named enough."""
    texts, skipped = _texts(run)
    there = [leak for leak in leaks if (leak.module, leak.test) in texts.keys() - skipped]
    found = [leak for leak in there if _LEAKED in texts[leak.module, leak.test]]
    functions = [
        leak for leak in found if leak.has_function_named_by(texts[leak.module, leak.test])
    ]
    named = [leak for leak in found if leak.is_named_by(texts[leak.module, leak.test])]
    missed = ", ".join(_title(leak) for leak in there if leak not in found) or "none"
    nameless = ", ".join(_title(leak) for leak in found if leak not in named) or "none"
    seconds = f"{run.seconds:.0f}"
    by_function = f"{len(functions)}" if names_functions else ""
    counts = (len(there), len(found), len(named), by_function)
    return [*counts, missed, nameless, seconds], len(named) >= LEAST * len(there) > 0


def _texts(run: Run) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]]]:
    """Return the texts of failures by module and test, and which tests did not run."""
    tests = {(test.module, test.name): test for test in run.tests or ()}
    skipped = {key for key, test in tests.items() if test.skipped}
    return {key: test.text for key, test in tests.items()}, skipped


def _said(leaks: list[Planted], run: Run) -> Iterator[list[object]]:
    texts, _ = _texts(run)
    for leak in leaks:
        lines = texts.get((leak.module, leak.test), "").partition(_LEAKED)[2].splitlines()
        named = [line for line in lines[2:] if line and not line.startswith("test_")]
        yield [_title(leak), "; ".join(f"`{line}`" for line in named[:3]) or "not found"]


def _title(leak: Planted) -> str:
    kind = leak.module.removeprefix("test_")
    return f"{leak.test.removeprefix('test_').replace('_', ' ')} ({kind})"


def _build_suite(environment: Environment, directory: Path) -> Path:
    """Copy the suite and compile its extension.

    :raises BuildError: if that fails.
    """
    directory.mkdir(exist_ok=True)
    for path in SUITE.glob("*.py"):
        (directory / path.name).write_text(path.read_text())
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = named\n")
    suffix, include = run_or_raise([str(environment.python), "-c", _ABOUT_BUILD]).split()
    built = directory / f"{EXTENSION.stem}{suffix}"
    run_or_raise([*_COMPILE, f"-I{include}", str(EXTENSION), "-o", str(built)])
    return directory


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-naming"))
    parser.add_argument("--python", nargs="+", default=INTERPRETERS, metavar="PATH")
    options = parser.parse_args()
    options.work = options.work.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
