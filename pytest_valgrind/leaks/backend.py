"""What does a leak check: whichever engine knows the blocks that are alive."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pytest_valgrind.findings.finding import Finding


class CheckResult(NamedTuple):
    """What a leak check found."""

    #: By how much each loss record grew since the process's own last check.
    records: list[Finding]
    #: Whether it was the process itself that checked.
    in_process: bool
    #: Seconds of processor time, with the reading of the log.
    seconds: float
    #: Whether it was done only when a clone turned out to have died, and sees what was lost since.
    is_late: bool = False


class CheckBackend(Protocol):
    """Does leak checks, one at a time."""

    #: The part of a group's time that its check may take.
    share: float
    #: Whether lost references to what the garbage collector knows are found.
    sees_references: bool
    #: Whether what only the main thread's C stack points to is in use, and not lost.
    trusts_stack: bool

    def remember(self) -> CheckResult | None:
        """Check, or begin a check that may turn out to be of no use, and return None."""

    def remembered(self) -> CheckResult:
        """Return what the latter finds."""

    def forget(self) -> None:
        """Give it up."""

    def start(self, *, in_process: bool) -> None:
        """Begin a check.

        :param in_process: whether to do it here and now, even if a clone could.
        """

    def ended(self) -> CheckResult | None:
        """Return the check that was begun, None while it is under way."""

    def wait(self) -> CheckResult:
        """Wait for it."""
