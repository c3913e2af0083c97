"""What the native phase hands to the session under valgrind."""

from __future__ import annotations

from pytest_valgrind.findings.results import Results
from pytest_valgrind.recovery.leaks_before import LeaksBefore


def test_a_phase_without_tests_has_seen_no_leaks() -> None:
    words = "no test ran natively: ended by SIGSEGV"
    before = LeaksBefore.of(Results(), words, [], ran=False)
    assert before.blindness == "No test ran natively: ended by SIGSEGV."


def test_a_phase_that_ran_has() -> None:
    assert LeaksBefore.of(Results(), "2 tests ran natively", [], ran=True).blindness == ""
