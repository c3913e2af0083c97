"""Attributes of pytest's reports: what was found in a worker or a fork travels by them.

pytest-xdist and the journal send whatever JSON can hold.
"""

from __future__ import annotations

import pytest

#: Of the last report of a test: its memory, as a line of the memory log has it.
MEMORY = "memory_of_test"
_PROBLEMS = "memory_problems"


def add_problem(report: pytest.TestReport, message: str, details: str = "") -> None:
    """Have a report say that its test went beyond a limit.

    :param details: more about it, in lines.
    """
    vars(report).setdefault(_PROBLEMS, []).append([message, details])


def problems_of(report: pytest.TestReport) -> list[tuple[str, str]]:
    """Return the messages and details of the limits that a test went beyond."""
    return [(message, details) for message, details in getattr(report, _PROBLEMS, ())]
