"""Runs a catalogue of leaks and innocents again and again, and side by side with other tools.

    python evaluation/catalogue.py FOLDER [--runs 20] [--work /tmp/catalogue] [--no-peers]

The folder holds ``catalogue.c`` and ``setup.py`` of a small extension, ``kinds.py`` with the
functions ``LEAKS`` and ``INNOCENT`` by name, ``test_each.py`` with a test for each, and
``test_more.py`` with innocents that use features of pytest. Prints two Markdown tables: what
``pytest --heapcheck`` has found in how many runs, on each interpreter; and what pytest-leaks,
psleak and pytest-memray find of the same functions. The exit code is 1 if a run of ours has missed
what loses memory, or blamed a test that does not.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from environments import (
    ALL_INTERPRETERS,
    PYENV,
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

SECONDS = 1200.0
#: Those of the leaks that lose memory within one call: nothing points to it any more.
LOSING = (
    *("malloc 1 B", "malloc 16 B", "malloc 1 KB", "malloc 1 MB", "PyMem_Malloc 16 B"),
    *("PyMem_RawMalloc 16 B", "list", "dict", "str", "cycle that gc cannot see"),
)
#: Among the innocents, as it does not grow; its block is lost all the same.
ONCE = "leak once"
PEERS = ("pytest-leaks==0.3.1", "psleak==0.1.6", "psutil==7.2.2", "pytest-memray==1.11.0")
MEMRAY_TEST = """\
import pytest, kinds
ALL = {{**kinds.LEAKS, **kinds.INNOCENT}}
def cases(names): return pytest.mark.parametrize("kind", list(names))
@cases(kinds.LEAKS)
@pytest.mark.limit_leaks("{limit}")
def test_leak(kind):
    for _ in range({times}): ALL[kind]()
@cases(kinds.INNOCENT)
@pytest.mark.limit_leaks("{limit}")
def test_innocent(kind):
    for _ in range({times}): ALL[kind]()
"""
PSLEAK_TEST = """\
import psleak, pytest, kinds
ALL = {**kinds.LEAKS, **kinds.INNOCENT}
class Case(psleak.MemoryLeakTestCase):
    def runTest(self): pass
def check(kind):
    case = Case(); case.setUp()
    try: case.execute(ALL[kind])
    finally: case.tearDown(); case.doCleanups()
@pytest.mark.parametrize("kind", list(kinds.LEAKS))
def test_leak(kind): check(kind)
@pytest.mark.parametrize("kind", list(kinds.INNOCENT))
def test_innocent(kind): check(kind)
"""


@dataclass
class Found:
    """What became of all runs with one tool."""

    runs: int = 0
    seconds: float = 0.0
    #: How often each kind or test was reported.
    leaks: Counter[str] = field(default_factory=Counter)
    innocents: Counter[str] = field(default_factory=Counter)
    #: Runs that came to no end.
    broken: int = 0

    def add(self, run: Run, reported: Iterable[str]) -> None:
        """Take a run, with the names of the tests that it has reported."""
        self.runs += 1
        self.seconds += run.seconds
        self.broken += not run.completed
        for name in set(reported):
            which, _, kind = name.partition("[")
            is_leak = which == "test_leak"
            (self.leaks if is_leak else self.innocents)[kind.rstrip("]") or name] += 1

    def always(self, kinds: Iterable[str]) -> int:
        """Return how many of the kinds were reported in every run."""
        return sum(self.leaks[kind] == self.runs for kind in kinds)

    @property
    def per_run(self) -> float:
        """Seconds."""
        return self.seconds / self.runs if self.runs else 0.0


def main() -> int:
    """Run everything, print the tables, and return the exit code."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    wheel: Path | None = None
    rows = []
    is_right = True
    head = ("CPython", "runs", "lost memory, found in every run", ONCE, "blamed", "seconds a run")
    for interpreter in available(options.python):
        name = label(interpreter)
        environment = make_environment(options.work / name.replace(" ", "-"), interpreter)
        wheel = wheel or build_plugin(environment, options.work)
        environment.install_plugin(wheel)
        environment.install("pytest", "hypothesis", "pytest-asyncio", "setuptools")
        directory = build_suite(environment, options.folder)
        ours = Found()
        for number in range(options.runs):
            say(f"{name}: run {number + 1} of {options.runs}")
            words = ("--heapcheck", "--heapcheck-stacks-seconds=0")
            run = run_suite_natively(environment, directory, words, seconds=SECONDS)
            ours.add(run, (test.name for test in run.tests or () if "[HEAP" in test.text))
        blamed = {kind: count for kind, count in ours.innocents.items() if kind != ONCE}
        blamed |= {kind: count for kind, count in ours.leaks.items() if kind not in LOSING}
        found = ours.always(LOSING)
        is_right &= found == len(LOSING) and not blamed and not ours.broken
        once = f"{ours.innocents[ONCE]} of {ours.runs}"
        rows.append([name, ours.runs, _of(found, LOSING), once, _counted(blamed), _time(ours)])
        # What there is by then, should the rest not come to its end.
        say(markdown(head, rows[-1:]).rpartition("\n")[2])
    print(markdown(head, rows))
    if options.peers:
        print()
        _print_peers(options)
    return int(not is_right)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("CATALOGUE"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--python", nargs="+", default=ALL_INTERPRETERS, metavar="INTERPRETER")
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-catalogue"))
    parser.add_argument("--no-peers", action="store_false", dest="peers")
    options = parser.parse_args()
    if options.folder is None or not Path(options.folder).is_dir():
        parser.error("name the folder of the catalogue, as argument or in CATALOGUE")
    options.folder = Path(options.folder).resolve()
    options.work = options.work.resolve()
    return options


def build_suite(environment: Environment, folder: Path, test: str = "") -> Path:
    """Copy the catalogue and build it.

    :param folder: the catalogue.
    :param test: the only test module, in place of the catalogue's own.
    """
    directory = environment.directory.with_name(f"{environment.directory.name}-suite")
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(folder, directory)
    (directory / "pytest.ini").write_text("[pytest]\n")
    if test:
        for module in directory.glob("test_*.py"):
            module.unlink()
        (directory / "test_peer.py").write_text(test)
    build = f"cd '{directory}' && '{environment.python}' setup.py -q build_ext -i"
    run_or_raise(["sh", "-c", build])
    return directory


def _print_peers(options: argparse.Namespace) -> None:
    rows = []
    release = str(PYENV / "3.11.7" / "bin" / "python")
    for interpreter, words, test, what in (
        ("/usr/bin/python3.11-dbg", ("-R", ":"), "", "pytest-leaks `-R :`, debug build"),
        (release, (), PSLEAK_TEST, "psleak, as by default"),
        (
            *(release, ("--memray",), MEMRAY_TEST.format(limit="1 KB", times=100)),
            "pytest-memray `limit_leaks('1 KB')`, loop of 100",
        ),
        (
            *(release, ("--memray",), MEMRAY_TEST.format(limit="1 B", times=1)),
            "pytest-memray `limit_leaks('1 B')`, one call",
        ),
    ):
        say(what)
        environment = make_environment(options.work / "peer", interpreter)
        needed = PEERS[:1] if "leaks `-R" in what else PEERS[1:3] if "psleak" in what else PEERS[3:]
        environment.install("pytest", "hypothesis", "pytest-asyncio", "setuptools", *needed)
        directory = build_suite(environment, options.folder, test)
        run = run_suite_natively(environment, directory, words, seconds=SECONDS)
        theirs = Found()
        theirs.add(run, _reported(run, words))
        found = len(theirs.leaks)
        rows.append([what, found, len(+theirs.innocents), _names(theirs.innocents), _time(theirs)])
    head = ("", "leaks found, of 23", "innocents blamed, of 25", "which", "seconds")
    print(markdown(head, rows))


def _reported(run: Run, words: tuple[str, ...]) -> list[str]:
    if "-R" in words:
        listed = re.findall(r"^\S+?::(.+?): leaked ", run.output, re.MULTILINE)
        return [name for name in listed if name.startswith("test_")]
    return [test.name for test in run.tests or () if test.failed]


def _of(found: int, kinds: Iterable[str]) -> str:
    return f"{found} of {len(tuple(kinds))}"


def _counted(blamed: dict[str, int]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in sorted(blamed.items())) or "none"


def _names(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds)) or "none"


def _time(found: Found) -> str:
    broken = f", {found.broken} without an end" if found.broken else ""
    return f"{found.per_run:.1f}{broken}"


if __name__ == "__main__":
    sys.exit(main())
