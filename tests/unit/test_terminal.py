"""The lines of the summary: each true, and none twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Judged, Results, Undecided
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.findings.verdict import Outcome, Verdict, crashed
from pytest_valgrind.reporting.terminal import summary

STACK = (Frame(1, "work", "ext.c", 7, owner=Owner.EXTENSION),)
LEAK = Finding(Kind.DEFINITE, "lost", STACK, bytes=8, blocks=1)
ERROR = Finding(Kind.INVALID_READ, "Invalid read of size 1", STACK)
CRASH = Finding(Kind.FATAL_SIGNAL, "Process terminating", STACK)

FAILED = Verdict(Outcome.FAILED, "[VALGRIND LEAK]")
KNOWN = Verdict(Outcome.KNOWN, "[VALGRIND LEAK]", "known since May", used_markers=("m",))


def results(*judged: Judged, tests: int = 3, completed: int = 3) -> Results:
    """Return the results of so many tests."""
    made = Results()
    made.tests, made.completed = tests, completed
    made.judged.extend(judged)
    return made


def test_nothing_found() -> None:
    """The line says so if something was checked, and nothing found anywhere."""
    assert list(summary(results())) == ["nothing found, 3 tests checked"]


def test_found_in_tests() -> None:
    """What is zero is not mentioned."""
    *_, line = summary(results(Judged("t", FAILED, [LEAK]), Judged("u", FAILED, [ERROR, LEAK])))
    assert line == "1 error, 2 leaks (16 bytes in 2 blocks) in 2 tests; 3 tests checked"


def test_one_defect_in_many_tests() -> None:
    """It has a line, and where a test is to fail for it, not that of one in which it is known."""
    other = replace(LEAK, bytes=9)
    found = results(
        Judged("t", KNOWN, [LEAK]),
        Judged("u", FAILED, [LEAK, ERROR]),
        Judged("v", FAILED, [other]),
        Judged("w", FAILED, [other, ERROR]),
    )
    assert list(summary(found, folds=True))[:-1] == [
        "t: definitely lost 8 bytes in 1 block: work (ext.c:7)  (known)",
        "u: definitely lost 8 bytes in 1 block: work (ext.c:7); the same in 2 more tests",
        "u: invalid read: work (ext.c:7); the same in 1 more test",
    ]
    assert [line for line in summary(found) if line.startswith("w: ")] == [
        "w: definitely lost 9 bytes in 1 block: work (ext.c:7)",
        "w: invalid read: work (ext.c:7)",
    ]


def test_one_defect_twice_in_a_test() -> None:
    """Each has a line, as they are two findings."""
    again = replace(LEAK, phase="teardown", bytes=9)
    found = results(Judged("t", FAILED, [LEAK, again]), Judged("u", FAILED, [LEAK]))
    first, second, _ = summary(found, folds=True)
    assert first == "t: definitely lost 8 bytes in 1 block: work (ext.c:7); the same in 1 more test"
    assert second == "t: definitely lost 9 bytes in 1 block: work (ext.c:7)"


def test_what_is_not_listed_is_not_the_first() -> None:
    """What a process died of is in the line of the crash; a later test has its own."""
    died = Judged("t", crashed("died of SIGSEGV"), [CRASH])
    child = replace(CRASH, process="7 (a fork)")
    _, line, _ = summary(results(died, Judged("u", FAILED, [child])), folds=True)
    assert line == "u: fatal signal: work (ext.c:7), in child process 0"


def test_only_known_findings() -> None:
    """There are no zeros before them."""
    *_, line = summary(results(Judged("t", KNOWN, [LEAK])))
    assert line == "known findings in 1 test; 3 tests checked"


@pytest.mark.parametrize("name", ["outside", "noise", "elsewhere", "of_system"])
def test_found_where_it_fails_nothing(name: str) -> None:
    """It is listed below, so it is not true that nothing was found."""
    found = results()
    getattr(found, name).append(LEAK)
    first, second, _ = summary(found)
    assert first == "nothing that fails a test, 3 tests checked"
    assert second.endswith(": 1 leak (8 bytes in 1 block)")


def test_found_at_import() -> None:
    """It is counted, although no test was checked."""
    found = results(tests=0, completed=0)
    found.modules["test_a.py"] = [ERROR]
    _, line = summary(found)
    assert line == "1 error at import; no test checked"


def test_found_in_one_of_several_tests() -> None:
    """It is not known which test it was."""
    found = results()
    found.undecided.append(Undecided(LEAK, ("t", "u")))
    _, line = summary(found)
    assert line == "1 leak (8 bytes in 1 block) in one of several tests; 3 tests checked"


def test_no_test_ran() -> None:
    """They were skipped, or deselected."""
    assert list(summary(results(tests=0, completed=0))) == ["no test checked"]


def test_no_test_ran_to_its_end() -> None:
    """All failed, as expected or not."""
    assert list(summary(results(tests=2, completed=0))) == [
        "no test ran to its end, 2 tests checked as far as they went"
    ]


def test_crash() -> None:
    """One line says how and where; it is not counted as an error, and the error before it is."""
    died = Judged("t", crashed("died of SIGSEGV"), [ERROR, CRASH])
    assert list(summary(results(died))) == [
        "t: [VALGRIND CRASH] died of SIGSEGV in work (ext.c:7)",
        "t: invalid read: work (ext.c:7)",
        "1 crash; 1 error in 1 test; 3 tests checked",
    ]


def test_crash_without_findings() -> None:
    """There are no zeros."""
    first, second = summary(results(Judged("t", crashed("died of SIGTERM"), []), tests=0))
    assert first == "t: [VALGRIND CRASH] died of SIGTERM"
    assert second == "1 crash; no test checked"


def test_hang() -> None:
    """It is a timeout, and not a crash."""
    hang = replace(LEAK, kind=Kind.TIMEOUT)
    *_, line = summary(results(Judged("t", crashed("was ended", hung=True), [hang])))
    assert line == "1 timeout in 1 test; 3 tests checked"


def test_fatal_signal_of_a_child() -> None:
    """It is no error that valgrind has counted."""
    *_, line = summary(results(Judged("t", FAILED, [replace(CRASH, process="7 (a fork)")])))
    assert line == "1 fatal signal in 1 test; 3 tests checked"


def test_leak_checks_without_groups() -> None:
    """There were no tests to put into groups."""
    found = results(tests=0, completed=0)
    found.checks = 2
    *_, line = summary(found)
    assert line.startswith("2 leak checks: ")


def test_counts_since() -> None:
    """What is written down as news is what came since."""
    found = results()
    sizes = found.sizes
    found.tests, found.completed, found.hidden = 5, 4, 1
    news = found.since(sizes)
    assert (news.tests, news.completed, news.hidden) == (2, 1, 1)
    total = results()
    total.add(news)
    assert (total.tests, total.completed, total.hidden) == (5, 4, 1)
