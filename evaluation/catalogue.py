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
import sys
from collections.abc import Iterable
from pathlib import Path

from catalogue_peers import run_peers
from catalogue_suite import LEAKS, SECONDS, Found, build_suite, names_of
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

#: Those of the leaks that lose memory within one call: nothing points to it any more.
LOSING = (
    *("malloc 1 B", "malloc 16 B", "malloc 1 KB", "malloc 1 MB", "PyMem_Malloc 16 B"),
    *("PyMem_RawMalloc 16 B", "list", "dict", "str", "cycle that gc cannot see"),
)
#: Among the innocents, as it does not grow; its block is lost all the same.
ONCE = "leak once"


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
        rows.append([name, ours.runs, _of(found, LOSING), once, _counted(blamed), ours.time])
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


def _print_peers(options: argparse.Namespace) -> None:
    rows = []
    for peer, found in run_peers(options.work, options.folder):
        blamed = (len(+found.innocents), names_of(found.innocents))
        rows.append([peer.name, len(found.leaks), *blamed, found.time])
    head = ("", f"leaks found, of {LEAKS}", "innocents blamed, of 25", "which", "seconds")
    print(markdown(head, rows))


def _of(found: int, kinds: Iterable[str]) -> str:
    return f"{found} of {len(tuple(kinds))}"


def _counted(blamed: dict[str, int]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in sorted(blamed.items())) or "none"


if __name__ == "__main__":
    sys.exit(main())
