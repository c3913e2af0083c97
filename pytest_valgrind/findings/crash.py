"""How a process ended that should not have: a plain value."""

from __future__ import annotations

from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding


class Crash(NamedTuple):
    """How a process ended that should not have."""

    #: Its exit code, or the negative number of the signal that ended it.
    code: int
    words: str  #: after "The process under valgrind"
    #: The last error before, and what valgrind shows of a fatal signal.
    findings: tuple[Finding, ...]
    advice: str  #: empty if there is none
    log: str
    #: Whether it was ended because a test hung.
    hung: bool = False
    #: Of the engine that watched the process.
    label: str = "VALGRIND"
