"""What a session needs of an engine: of memcheck, or of the native heap engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.findings.finding import Finding
    from pytest_valgrind.findings.results import Results
    from pytest_valgrind.heap.second_run import SecondRuns
    from pytest_valgrind.items.item_numbers import ItemNumbers
    from pytest_valgrind.leaks.attribution import LeakAttribution, Mode, ProcessState
    from pytest_valgrind.pinpoint.pinpoint import Pinpoint
    from pytest_valgrind.session.timeouts import Timeouts
    from pytest_valgrind.settings import Settings

#: Tells the user what takes so long.
Say = Callable[[str], None]


class LeftOpen(Protocol):
    """Knows what tests have opened and not closed."""

    def test_ran(self, place: int, nodeid: str) -> None:
        """Take a test that ran, and the place at which it began."""

    def left_open(self) -> Iterator[tuple[str, Finding]]:
        """Yield what is open at the end, each with its test."""


class Engine(Protocol):
    """Finds what tests do to memory."""

    @property
    def name(self) -> str:
        """As the header's lines begin, and as the summary's section is called."""

    @property
    def spare_seconds(self) -> float:
        """Seconds of processor time that nobody minds, for what is useful and not needed."""

    @property
    def hints(self) -> set[str]:
        """What to do for better findings."""

    @property
    def errors(self) -> Callable[[str, str], Sequence[Finding]]:
        """Return the errors since the last call: what they belong to, and the phase of the test.

        It is called several times for every test.
        """

    @property
    def inside(self) -> Callable[..., object]:
        """Call a function so that what it allocates is the test's at a place in the order."""

    @property
    def outside(self) -> Callable[..., object]:
        """Call a function so that what it allocates is no test's."""

    @property
    def threads_started(self) -> Callable[[], int]:
        """Return how many threads tests have started so far."""

    def threads_alive(self, place: int) -> int:
        """Return how many threads still run, by the test at a place where that is known."""

    def begin(self, settings: Settings, say: Say) -> Sequence[Finding]:
        """Get ready for a session, and return the errors since the last one.

        :raises pytest.UsageError: if this process cannot be checked as asked for.
        """

    def header(self, mode: Mode, *, is_verbose: bool) -> Iterator[str]:
        """Yield the lines of pytest's header, more of them if the user wants to know more."""

    def choose_check(self, settings: Settings, state: ProcessState, workers: int) -> Mode:
        """Return the leak check that was asked for, or the one that can take its place."""

    def exact_check(self, settings: Settings, state: ProcessState) -> LeakAttribution:
        """Return a leak check after every test."""

    def timeouts(self, settings: Settings) -> Timeouts:
        """Return what ends tests that run for too long."""

    def descriptors(self, item_numbers: ItemNumbers) -> LeftOpen | None:
        """Return what knows open descriptors, None if nobody does."""

    def follow_children(self, settings: Settings) -> Children | None:
        """Check the processes that tests start from here on; None if they are not checked."""

    def pinpoint(self, run_alone: Callable[..., None]) -> Pinpoint:
        """Return what finds the lines of Python.

        :param run_alone: runs a test once more, in a forked process.
        """

    def second_runs(
        self, settings: Settings, run_alone: Callable[..., None], item_numbers: ItemNumbers
    ) -> SecondRuns | None:
        """Return what runs tests again to see which of them lost what, None if that is known."""

    def test_begins(self, nodeid: str) -> None:
        """Take note that a test is about to run."""

    def session_begins(self) -> None:
        """Get ready once pytest has set itself up."""

    def weaknesses(self, settings: Settings) -> list[str]:
        """Return what weakens the results of a session, and what to do about it."""

    def look_back(self, settings: Settings, results: Results) -> None:
        """Add to the results what is known only at the end."""

    def can_find_origins(self, settings: Settings) -> bool:
        """Whether a further run may say where uninitialised values are from."""

    def keep_log(self, results: Results) -> None:
        """Keep the log if somebody may want to look at it."""

    @property
    def kept_log(self) -> str:
        """The log's path, empty if nobody needs to look at it."""
