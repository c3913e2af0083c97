"""Tests that hang, and others before and after them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import defective
import pytest


def test_in_time() -> None:
    """Nothing is wrong here."""


def test_in_python() -> None:
    """In a call that the interpreter makes."""
    time.sleep(1000)


def test_leak_after_a_hang() -> None:
    """What is lost is found as ever."""
    defective.leak(31)


def test_in_a_lock() -> None:
    """Another thread has it, and hangs as well."""
    lock, stop = threading.Lock(), threading.Event()

    def keep() -> None:
        with lock:
            stop.wait()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        while not lock.locked():
            time.sleep(0.01)
        lock.acquire()
    finally:
        stop.set()
        thread.join()


def test_in_a_loop() -> None:
    """Of Python's."""
    while True:
        pass


def test_in_the_extension() -> None:
    """In a system call, from which a signal returns."""
    defective.wait_for_signal()


def test_that_catches_exceptions() -> None:
    """Those that it may catch."""
    with contextlib.suppress(Exception):
        time.sleep(1000)


def test_that_catches_everything() -> None:
    """It comes to its end, and has hung all the same."""
    with contextlib.suppress(BaseException):
        time.sleep(1000)


@pytest.fixture
def slow_to_set_up() -> None:
    """Hang."""
    time.sleep(1000)


@pytest.mark.usefixtures("slow_to_set_up")
def test_in_setup() -> None:
    """Which comes before it."""


@pytest.fixture
def slow_to_tear_down() -> Iterator[None]:
    """Hang in the end."""
    yield
    time.sleep(1000)


@pytest.mark.usefixtures("slow_to_tear_down")
def test_in_call_and_teardown() -> None:
    """Both are ended."""
    time.sleep(1000)


@pytest.mark.valgrind_known_leak(reason="by design")
def test_known_leak_that_hangs() -> None:
    """A hang is never known."""
    defective.leak(32)
    time.sleep(1000)


@pytest.mark.xfail
def test_expected_failure_that_hangs() -> None:
    """It is not what was expected."""
    time.sleep(1000)


@pytest.mark.timeout(0.2)
def test_with_time_for_valgrind() -> None:
    """Five times what pytest-timeout would allow."""
    time.sleep(1)


@pytest.mark.timeout(0.1)
def test_beyond_its_marker() -> None:
    """The limit is pytest-timeout's, and not its way to end a test."""
    time.sleep(1000)


@pytest.mark.timeout(0.1, method="thread", func_only=True)
def test_beyond_its_marker_for_the_function() -> None:
    """Its way would be to end the process."""
    time.sleep(1000)


def test_alarms() -> None:
    """They are the test's own."""
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    while not rung:
        time.sleep(0.01)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_children() -> None:
    """They have no limit, and no stack of theirs is written down."""
    pid = os.fork()
    if pid == 0:
        time.sleep(0.2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_last() -> None:
    """The session has come to its end."""
