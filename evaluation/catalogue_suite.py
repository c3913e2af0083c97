"""The catalogue of leaks and innocents as a suite of tests, and what a tool has found in it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from environments import Environment, Run, run_or_raise

#: That a run may take.
SECONDS = 1200.0
LEAKS = 23


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
    def time(self) -> str:
        """Seconds that a run took, in words."""
        broken = f", {self.broken} without an end" if self.broken else ""
        return f"{self.seconds / max(1, self.runs):.1f}{broken}"


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


def names_of(kinds: Iterable[str]) -> str:
    """Return names in the order of the alphabet, in words."""
    return ", ".join(sorted(kinds)) or "none"
