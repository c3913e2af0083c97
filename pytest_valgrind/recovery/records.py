"""What a process writes into its journal: one kind of record for each thing that happens."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.results import Results
from pytest_valgrind.items.item_numbers import Location
from pytest_valgrind.markers import KnownMark
from pytest_valgrind.recovery.journal_end import Finished

#: Of a report that is nothing but a pass: when, seconds that it took, start and end.
Passed = tuple[str, float, float, float]
#: Any other, as pytest_report_to_serializable makes it, by ``marshal``.
Packed = bytes


class Collecting(NamedTuple):
    """A file or directory is about to be imported or listed."""

    nodeid: str


class Collected(NamedTuple):
    """All tests are known."""

    tests: tuple[tuple[str, Location], ...]


class Began(NamedTuple):
    """A test is about to run."""

    place: int  #: in the order of the tests, from 0
    nodeid: str
    location: Location
    #: The errors of its first run, None if this is the first.
    earlier: tuple[Finding, ...] | None = None

    @property
    def is_second(self) -> bool:
        """Whether it runs again, as the process that ran it before has died."""
        return self.earlier is not None


class Ran(NamedTuple):
    """A test ran, and is not judged yet."""

    place: int
    reports: tuple[Passed | Packed, ...]
    #: Errors, and what its markers say about known ones; leaks come to be known later.
    findings: tuple[Finding, ...] = ()
    marks: tuple[KnownMark, ...] = ()


class Settled(NamedTuple):
    """Tests were judged and their reports logged."""

    places: tuple[int, ...]
    #: The reports of those that were changed by what valgrind has to say.
    reports: dict[int, tuple[Passed | Packed, ...]]
    #: What came to be known about them, and about what ran between them.
    news: Results


class Interrupted(NamedTuple):
    """Somebody has interrupted the session, and the process has noticed."""


class Covered(NamedTuple):
    """What pytest-cov has measured was saved."""

    place: int  #: of the last test that had begun, -1 if none had


class Ended(NamedTuple):
    """The session came to its end."""

    results: Results
    hints: tuple[str, ...]
    log: str  #: empty if nobody needs to look at it


Record: TypeAlias = (
    "Collecting | Collected | Began | Ran | Settled | Covered | Interrupted | Ended | Finished"
    " | Crash"
)
