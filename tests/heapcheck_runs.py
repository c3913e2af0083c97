"""Native runs with the heap engine, for tests/integration/test_heapcheck_*.py.

A run takes about a second, and each leak another run of its test in a forked process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from conftest import INI, SUITES
from suite import Run, Suite

#: Two tests that lose something, and two that do not.
MIXED = """\
from defective import leak, leak_reference

def test_a(): pass
def test_b(): leak(21)
def test_c(): leak_reference([1, 2])
def test_d(): pass
"""
#: There is always time enough to run a test again, on a busy machine as well.
PATIENT = "--heapcheck-stacks-seconds=600"


def native_suite(directory: Path, path: Path, files: Mapping[str, str] | None = None) -> Suite:
    """Return a suite in an empty directory.

    :param path: of the extension.
    :param files: text by name.
    """
    made = Suite(directory, path, plugins=["asyncio", "timeout"])
    made.write("pytest.ini", f"{INI}asyncio_default_fixture_loop_scope = function\n")
    for name, text in (files or {}).items():
        made.write(name, text)
    return made


def run_natively(suite: Suite, *options: str, **more: object) -> Run:
    """Run a suite with the engine."""
    return suite.run("--heapcheck", PATIENT, *options, **more)  # type: ignore[arg-type]


def run_folder(name: str, directory: Path, path: Path, *options: str) -> Run:
    """Run one of tests/suites with the engine."""
    made = native_suite(directory, path)
    made.copy(SUITES / name)
    return run_natively(made, *options)


def section(run: Run) -> list[str]:
    """Return the lines of the engine's section of the terminal's summary."""
    _, _, rest = run.output.partition("= heapcheck =")
    lines = rest.splitlines()[1:]
    ends = (n for n, line in enumerate(lines) if line.startswith("==="))
    return lines[: next(ends, len(lines))]


def lost_bytes(text: str) -> list[int]:
    """Return the sizes in a report or in a line of the summary."""
    return [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) bytes? in \d+ blo", text)]
