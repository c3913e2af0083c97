"""The number of tests that wait for their leak check, on a terminal."""

from __future__ import annotations

import io

import pytest

from pytest_valgrind.leaks.attribution import NoCheck
from pytest_valgrind.session.progress import WaitingTests


class Waiting(NoCheck):
    """A check for which tests wait."""

    waiting = 0


@pytest.fixture
def check() -> Waiting:
    """Return a check for which none waits."""
    return Waiting()


@pytest.fixture
def terminal() -> io.StringIO:
    """Return what is written to the terminal."""
    return io.StringIO()


@pytest.fixture
def shown(check: Waiting, terminal: io.StringIO) -> WaitingTests:
    """Return what shows them."""
    return WaitingTests(check, terminal)


def run_test(shown: WaitingTests) -> None:
    """Do what pytest does when a test runs."""
    wrapper = shown.pytest_runtest_protocol()
    next(wrapper)
    with pytest.raises(StopIteration):
        wrapper.send(True)


def test_none_waits(shown: WaitingTests, terminal: io.StringIO) -> None:
    """Nothing is written."""
    run_test(shown)
    shown.pytest_runtest_logreport()
    assert terminal.getvalue() == ""


def test_number(check: Waiting, shown: WaitingTests, terminal: io.StringIO) -> None:
    """The cursor ends where it began."""
    check.waiting = 3
    run_test(shown)
    text = " 3 tests waiting for a leak check"
    assert terminal.getvalue() == f"\x1b[K{text}\x1b[{len(text)}D"


def test_number_is_not_written_for_each_test(
    check: Waiting, shown: WaitingTests, terminal: io.StringIO
) -> None:
    """Each would cost a write."""
    check.waiting = 3
    run_test(shown)
    check.waiting = 4
    run_test(shown)
    assert "4 tests" not in terminal.getvalue()


@pytest.mark.parametrize(
    "hook", ["pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_sessionfinish"]
)
def test_number_goes_before_pytest_writes(
    check: Waiting, shown: WaitingTests, terminal: io.StringIO, hook: str
) -> None:
    """It is erased once."""
    check.waiting = 1
    run_test(shown)
    before = len(terminal.getvalue())
    getattr(shown, hook)()
    getattr(shown, hook)()
    assert terminal.getvalue()[before:] == "\x1b[K"
