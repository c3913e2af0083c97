"""Tests whose process died before they were checked for leaks run again in the next one."""

from __future__ import annotations

import pytest

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Results
from pytest_valgrind.findings.stack import Frame, Further, Origin, Owner
from pytest_valgrind.recovery import second_runs
from pytest_valgrind.recovery.history import (
    ProcessHistory,
    left_to_do,
    replace_first_runs,
    to_run_again,
)
from pytest_valgrind.recovery.records import Began, Collected, Ran, Record, Settled
from pytest_valgrind.recovery.second_runs import SecondRun, SecondRuns
from pytest_valgrind.settings import Settings

ERROR = Finding(
    Kind.INVALID_READ,
    "Invalid read of size 1",
    (Frame(1, "read_past_end", "defective.c", 5, owner=Owner.EXTENSION),),
    (Further("block was alloc'd", (), Origin(7)),),
    origin=Origin(3),
)
PASS = ("call", 0.1, 1.0, 1.1)
CRASH = Crash(-11, "died of SIGSEGV", (Finding(Kind.INVALID_WRITE, "Invalid write"),), "", "log")


def began(place: int, name: str, earlier: tuple[Finding, ...] | None = None) -> Began:
    """Return that a test begins."""
    return Began(place, name, ("test_a.py", 1, name), earlier)


def collected(*names: str) -> Collected:
    """Return that there are such tests."""
    return Collected(tuple((name, ("test_a.py", 1, name)) for name in names))


def first_process() -> ProcessHistory:
    """Return what is left of a process that died in the third of four tests."""
    ran: list[Record] = [began(0, "a"), Ran(0, (PASS,))]
    ran += [began(1, "b"), Ran(1, (PASS,), (ERROR,))]
    return ProcessHistory([collected("a", "b", "c", "d"), *ran, began(2, "c"), CRASH])


def test_what_runs_again() -> None:
    """All tests do that ran and were not judged, except the one that crashed."""
    first = first_process()
    assert [run.nodeid for run in to_run_again([first])] == ["a", "b"]
    assert left_to_do([first]) == "what is left, 1 test, and 2 tests again, to check for leaks"


def test_errors_go_with_a_test() -> None:
    """They lose the numbers in their stacks, which mean other tests in the next process."""
    (_, run) = to_run_again([first_process()])
    (error,) = run.findings
    assert error.stack == ERROR.stack
    assert (error.origin, error.further[0].origin) == (None, None)


def test_all_is_known() -> None:
    """Nothing is left to do where the process died of the last test and all others were judged."""
    records: list[Record] = [began(0, "a"), Ran(0, (PASS,)), Settled((0,), {}, Results())]
    records += [began(1, "b"), CRASH]
    assert not left_to_do([ProcessHistory([collected("a", "b"), *records])])


def test_second_run_counts(settings: Settings) -> None:
    """Nothing of the first run counts, so that each test is there once."""
    first = first_process()
    second = ProcessHistory(
        [
            collected("d"),
            began(0, "a", ()),
            Ran(0, (PASS,)),
            began(1, "b", (ERROR,)),
            Ran(1, (PASS,), (ERROR,)),
            Settled((0, 1), {}, Results()),
            began(2, "d"),
            CRASH,
        ]
    )
    replace_first_runs([first], second)
    first.judge(settings)
    assert first.unsettled == []
    assert [judged.nodeid for judged in first.results.judged] == ["c"]
    assert not left_to_do([first, second])


def test_no_third_run() -> None:
    """Tests that were not checked when the process crashes again are named as such."""
    first = first_process()
    second = ProcessHistory(
        [collected("d"), began(0, "a", ()), Ran(0, (PASS,)), began(1, "b", ()), CRASH]
    )
    replace_first_runs([first], second)
    assert second.where == "It happened in b, which ran again to be checked for leaks."
    assert second.unchecked == ["a"]
    assert to_run_again([first, second]) == []
    assert second.not_run == ["d"]


def test_second_run_that_did_not_begin() -> None:
    """The process after that runs it."""
    first = first_process()
    second = ProcessHistory([collected("d"), began(0, "a", ()), CRASH])
    replace_first_runs([first], second)
    assert [run.nodeid for run in to_run_again([first, second])] == ["b"]


def test_crash_in_a_second_run() -> None:
    """The errors of the first run are reported with it, unless it shows them itself."""
    dead = ProcessHistory([began(0, "b", (ERROR, CRASH.findings[0])), CRASH])
    assert dead.crash
    assert dead.crash.findings == (ERROR, *CRASH.findings)


def test_items(pytester: pytest.Pytester) -> None:
    """Each run takes one of them, even where two have the same name."""
    items = pytester.getitems("def test_a(): pass\ndef test_b(): pass\n")
    first, second = items
    runs = SecondRuns([SecondRun(second.nodeid, (ERROR,)), SecondRun("elsewhere")])
    assert runs.choose([first, second, second]) == [second]
    assert runs.earlier(first) is None
    assert runs.earlier(second) == (ERROR,)
    assert runs.last is second


def test_sent_to_another_process() -> None:
    """They come as they were."""
    runs = (SecondRun("a"), SecondRun("b", (ERROR,)))
    assert second_runs.unpacked(second_runs.packed(runs)) == runs


def test_error_that_occurs_again() -> None:
    """It is reported once."""
    assert second_runs.not_again([ERROR], [ERROR]) == []
    assert second_runs.not_again([ERROR], []) == [ERROR]
