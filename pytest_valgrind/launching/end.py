"""How a launched process ended, and what that means for the launcher."""

from __future__ import annotations

from typing import NamedTuple

from pytest_valgrind.recovery.history import ProcessHistory


class End(NamedTuple):
    """How a launched process ended."""

    code: int  #: its exit code, as a shell says it
    history: ProcessHistory
    #: Whether somebody has asked for it, by a signal to this process.
    was_asked_for: bool = False
    #: Whether that was before it ran a session of pytest.
    was_stopped_early: bool = False
    #: Whether it came to pytest.
    reached_pytest: bool = True

    @property
    def can_be_followed(self) -> bool:
        """Whether it has died of itself, and another process has any chance to come further."""
        died = self.history.crash is not None and not self.was_asked_for
        return died and bool(self.history.began)

    @property
    def ran_session(self) -> bool:
        """Whether it ran or listed tests, or died of that."""
        return self.reached_pytest and (self.history.has_ended or self.history.crash is not None)

    @property
    def hides_failures(self) -> bool:
        """Whether it ended as though nothing was found, before the interpreter came to its end.

        A script that comes to its end has the exit code that it wants.
        """
        history = self.history
        return self.code == 0 and not history.has_finished and history.results.fails

    @property
    def words(self) -> str:
        """How it ended without a session, for a sentence."""
        before = "it ran a session" if self.reached_pytest else "it came to pytest"
        return f"the process with the tests ended with exit code {self.code} before {before}"
