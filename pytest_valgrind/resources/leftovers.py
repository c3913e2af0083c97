"""What was left, as findings and as plain values that a report of pytest can carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner, Stack

#: The attribute of a report.
ATTRIBUTE = "leftovers"


class LeftoverWarning(pytest.PytestWarning):
    """A test has left a resource behind (``--resources``)."""


def finding(kind: Kind, words: str, stack: Stack, fixture: str = "") -> Finding:
    """Return something that was left.

    :param words: what it is.
    :param stack: where it was opened.
    :param fixture: the phase of the shared fixture that did, if it was one.
    """
    opened = "Open " if kind is Kind.OPEN_DESCRIPTOR else f"{kind.value.capitalize()}: "
    return Finding(kind, f"{opened}{words}", stack, fixture=fixture)


def packed(findings: Iterable[Finding]) -> list[list[Any]]:
    """Return findings as values that JSON and execnet can hold."""
    return [
        [
            found.kind.name,
            found.message,
            [[*frame._replace(owner=frame.owner.name)] for frame in found.stack],  # type: ignore[arg-type]
            found.fixture,
            found.known,
        ]
        for found in findings
    ]


def unpacked(values: Sequence[Sequence[Any]]) -> list[Finding]:
    """Return them again."""
    return [
        Finding(
            Kind[kind],
            message,
            tuple(_frame(*frame) for frame in stack),
            fixture=fixture,
            known=known,
        )
        for kind, message, stack, fixture, known in values
    ]


def _frame(*values: Any) -> Frame:
    frame = Frame(*values)
    return frame._replace(owner=Owner[str(frame.owner)])
