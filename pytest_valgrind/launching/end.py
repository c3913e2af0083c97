"""How a launched process ended, and what that means for the launcher."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_valgrind.recovery.history import ProcessHistory


@dataclass
class End:
    """How a launched process ended."""

    code: int  #: its exit code, as a shell says it
    journal: bytes  #: what it has written down
    #: Whether a session and the interpreter came to their ends.
    is_orderly: bool = False
    #: Whether somebody has asked for it, by a signal to this process.
    was_asked_for: bool = False
    #: Whether that was before it ran a session of pytest.
    was_stopped_early: bool = False
    #: Whether it came to pytest.
    reached_pytest: bool = True

    @cached_property
    def history(self) -> ProcessHistory:
        """What the journal says."""
        from pytest_valgrind.recovery.history import ProcessHistory
        from pytest_valgrind.recovery.journal import records

        return ProcessHistory(records(self.journal))

    @property
    def has_died(self) -> bool:
        """Whether it came to no end of its own, though it had come to pytest."""
        if self.is_orderly or not self.reached_pytest:
            return False
        return not (self.history.has_ended or self.history.has_finished)

    @property
    def can_be_followed(self) -> bool:
        """Whether it has died of itself, and another process has any chance to come further."""
        if self.is_orderly or self.was_asked_for:
            return False
        return self.history.crash is not None and bool(self.history.began)

    @property
    def ran_session(self) -> bool:
        """Whether it ran or listed tests, or died of that."""
        if self.is_orderly:
            return True
        return self.reached_pytest and (self.history.has_ended or self.history.crash is not None)

    @property
    def hides_failures(self) -> bool:
        """Whether it ended as though nothing was found, before the interpreter came to its end.

        A script that comes to its end has the exit code that it wants.
        """
        if self.is_orderly or self.code != 0:
            return False
        return not self.history.has_finished and self.history.results.fails

    @property
    def words(self) -> str:
        """How it ended without a session, for a sentence."""
        before = "it ran a session" if self.reached_pytest else "it came to pytest"
        return f"the process with the tests ended with exit code {self.code} before {before}"
