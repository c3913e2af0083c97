"""What the native engine found in a run before this one, for the session that reports it."""

from __future__ import annotations

# Without its twin in Python, as in the journal.
import _pickle as pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.results import Results, Undecided


class LeaksBefore(NamedTuple):
    """Findings of the native engine, by test, and what belongs to none."""

    by_test: Mapping[str, Sequence[Finding]] = {}
    outside: Sequence[Finding] = ()
    undecided: Sequence[Undecided] = ()
    #: What there is to say about that run.
    words: str = ""
    #: Tests that were not checked for leaks, as their process died.
    unchecked: Sequence[str] = ()
    #: Why it could see no leaks, as a sentence; empty if it could.
    blindness: str = ""

    @classmethod
    def of(
        cls, results: Results, words: str, unchecked: Sequence[str], *, ran: bool
    ) -> LeaksBefore:
        """Return what a run has found.

        :param ran: whether it came to run tests at all.
        """
        blindness = results.blindness or ("" if ran else f"{words[:1].upper()}{words[1:]}.")
        by_test: dict[str, list[Finding]] = {}
        for judged in results.judged:
            if not judged.verdict.ends_process:
                by_test.setdefault(judged.nodeid, []).extend(_marked(judged.findings))
        undecided = [
            lost._replace(finding=next(iter(_marked([lost.finding])))) for lost in results.undecided
        ]
        return cls(by_test, list(_marked(results.outside)), undecided, words, unchecked, blindness)

    def write(self, path: Path) -> None:
        """Write it down.

        :raises OSError: if there is no room.
        """
        path.write_bytes(pickle.dumps(tuple(self), protocol=4))

    @classmethod
    def read(cls, path: Path) -> LeaksBefore | None:
        """Return what was written, None if nothing was."""
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return cls(*pickle.loads(data))  # this package has written it, where nobody else can


def _marked(findings: Iterable[Finding]) -> Iterable[Finding]:
    # What the guards have seen, valgrind sees as well, where it happens.
    leaks = (finding for finding in findings if finding.kind.is_leak)
    return (replace(finding, engine="HEAP") for finding in leaks)
