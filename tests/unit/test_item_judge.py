"""With ``-x`` the session stops where a failure is known, which for an error is at once."""

from __future__ import annotations

from typing import Literal, cast

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Results
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.items.deferred_reports import Event
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.items.item_run import ItemRun
from pytest_valgrind.session.item_judge import ItemJudge
from pytest_valgrind.session.stack_names import StackNames
from pytest_valgrind.settings import Settings

ERROR = Finding(Kind.INVALID_READ, "read", (Frame(1, "f", owner=Owner.EXTENSION),))


class _Item:
    """An item with markers, for a test that did not run."""

    def __init__(self, *marks: str) -> None:
        self._marks = {name: getattr(pytest.mark, name)().mark for name in marks}

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        """Return a marker."""
        return self._marks.get(name)


def fails_anyway(
    settings: Settings,
    when: Literal["setup", "call", "teardown"] = "call",
    outcome: Literal["passed", "failed"] = "failed",
    *,
    found: bool = False,
    marks: tuple[str, ...] = (),
) -> bool:
    """Whether a test with a report and perhaps an error is known to fail."""
    judge = ItemJudge(settings, Results(), StackNames(ItemNumbers(8)))
    test = ItemRun(cast(pytest.Item, _Item(*marks)), "t", 0)
    report = pytest.TestReport("t", ("t.py", 0, "t"), {}, outcome, None, when)
    test.events.append(Event(print, {"report": report}))
    test.findings = [ERROR] if found else []
    return judge.fails_anyway(test)


def test_failures_that_are_known_at_once(settings: Settings) -> None:
    """These are errors, those of setup and teardown, and ordinary ones that are not expected."""
    assert fails_anyway(settings, outcome="passed", found=True)
    assert fails_anyway(settings, "setup")
    assert fails_anyway(settings, "teardown")
    assert fails_anyway(settings._replace(failures="report"))


def test_what_is_no_failure_yet(settings: Settings) -> None:
    """These are passes, expected failures, known errors, and other people's findings."""
    assert not fails_anyway(settings, outcome="passed")
    assert not fails_anyway(settings)
    known = ("valgrind_known_error",)
    assert not fails_anyway(settings, outcome="passed", found=True, marks=known)
    elsewhere = settings._replace(only=("other.so",))
    assert not fails_anyway(elsewhere, outcome="passed", found=True)
