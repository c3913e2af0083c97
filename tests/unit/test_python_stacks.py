"""Where in Python a test hung, and what a hang makes of a test; without valgrind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from _pytest import runner
from test_verdict import ERROR, LEAK, verdict

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.relevance import Relevance, Scope
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.findings.verdict import Outcome
from pytest_valgrind.markers import KNOWN_ERROR, KNOWN_LEAK
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.parser import HANG, Parser
from pytest_valgrind.memcheck.python_stacks import with_python_stacks
from pytest_valgrind.reporting.text import rendered, total_line
from pytest_valgrind.session.timeouts import Timeouts

HUNG = Finding(Kind.TIMEOUT, f"{HANG}3 s (--memory-timeout)")
# Of 3.14: those before it have no names of threads.
WRITTEN = f"""\
Thread 0x00007fd0e53fd6c0 [keeper] (most recent call first):
  File "/usr/lib/python3.14/threading.py", line 369 in wait
  File "/src/my tests/test_lock.py", line 8 in keep
  File "/usr/lib/python3.14/threading.py", line 1024 in run
  File "/usr/lib/python3.14/threading.py", line 1081 in _bootstrap_inner
  File "/usr/lib/python3.14/threading.py", line 1044 in _bootstrap

Thread 0x00007fd0e4bfc6c0 (most recent call first):
  <no Python frame>

Thread 0x00007fd0e33f96c0 (most recent call first):
  File "/site-packages/execnet/gateway_base.py", line 1160 in _thread_receiver
  File "/usr/lib/python3.14/threading.py", line 1044 in _bootstrap

Current thread 0x00007fd0e5cbc740 [python3] (most recent call first):
  Garbage-collecting
  File "/src/my tests/test_lock.py", line 15 in test_lock
  File "{runner.__file__}", line 179 in pytest_runtest_call
  File "{runner.__file__}", line 353 in from_call
  File "/site-packages/other_plugin.py", line 3 in pytest_runtest_protocol
"""
LOG = """\
==42== Invalid read of size 1
==42==    at 0x1: test (t.c:5)
==42==
**42** Test timed out after 3 s (--memory-timeout)
==42==    at 0x1: VALGRIND_PRINTF_BACKTRACE (valgrind.h:6808)
==42==    by 0x2: pvg_timer_expired (timer.c:55)
==42==    by 0x3: ??? (in /usr/lib/x86_64-linux-gnu/libc.so.6)
==42==    by 0x4: clock_nanosleep (clock_nanosleep.c:48)
==42==    by 0x5: work (work.c:9)
**42** Test timed out after words in a name can say
"""


def frames(further: tuple[Frame, ...]) -> list[str]:
    """Return frames as they are shown."""
    return [str(frame) for frame in further]


def test_stacks_of_python() -> None:
    """The stack of the test is first, without what runs tests and threads."""
    own, other = with_python_stacks(HUNG, WRITTEN).further
    assert own.caption == "in Python, the most recent call first:"
    assert frames(own.stack) == ["test_lock (/src/my tests/test_lock.py:15)"]
    assert other.caption == "in Python, in thread keeper (0x00007fd0e53fd6c0):"
    assert frames(other.stack) == [
        "wait (/usr/lib/python3.14/threading.py:369)",
        "keep (/src/my tests/test_lock.py:8)",
    ]


@pytest.mark.parametrize(
    "written", ["", "\n\n", "Current thr", "Thread 0x1 (most recent call first):"]
)
def test_stacks_of_python_that_are_not_there(written: str) -> None:
    """The C stack is still there."""
    assert with_python_stacks(HUNG, written) == HUNG


def test_lines_of_python_are_shown(tmp_path: Path) -> None:
    """Their source is shown as that of extensions is."""
    source = tmp_path / "test_it.py"
    source.write_text("def test_it():\n    hang()\n")
    head = "Current thread 0x1 (most recent call first):\n"
    lines = list(rendered(with_python_stacks(HUNG, f'{head}  File "{source}", line 2 in test_it')))
    assert lines[0] == HUNG.message
    assert lines[-2:] == [f"  py test_it ({source}:2)", "      hang()"]


def test_native_stack() -> None:
    """It begins with what was interrupted, and is no error."""
    error, hang = Parser().findings(read_lines(LOG.splitlines()))
    assert error.kind is Kind.INVALID_READ
    assert (hang.kind, hang.message) == (Kind.TIMEOUT, HUNG.message)
    assert [frame.function for frame in hang.stack] == ["clock_nanosleep", "work"]
    assert not hang.kind.is_counted


@pytest.mark.parametrize(
    ("findings", "header"),
    [
        ([HUNG], "[VALGRIND TIMEOUT]"),
        ([HUNG, LEAK], "[VALGRIND LEAK+TIMEOUT]"),
        ([ERROR, HUNG], "[VALGRIND ERROR+TIMEOUT]"),
    ],
)
def test_hang_is_never_known(findings: list[Finding], header: str) -> None:
    """No marker makes it known."""
    failed = verdict(findings, KNOWN_ERROR, KNOWN_LEAK)
    assert (failed.outcome, failed.header) == (Outcome.FAILED, header)
    assert not failed.knows(HUNG)


def test_hang_is_of_concern_everywhere() -> None:
    """It counts in the interpreter, and in code that --valgrind-only leaves out."""
    stack = (Frame(1, "sem_wait", owner=Owner.LIBC), Frame(2, "wait", owner=Owner.INTERPRETER))
    hang = Finding(Kind.TIMEOUT, HUNG.message, stack)
    assert Scope(("mine/*.so",)).relevance(hang) is Relevance.OWN


def test_total() -> None:
    """Timeouts are counted apart, and named only where there is one."""
    assert total_line([HUNG]) == "1 timeout"
    assert total_line([ERROR]) == "1 error"
    assert total_line([HUNG, ERROR]) == "1 timeout, 1 error"


class NoLog:
    """An engine that knows no C stack."""

    name = "engine"
    hints: ClassVar[set[str]] = set()

    def mark(self) -> int:
        return 0

    def hang(self, mark: int) -> None:
        pass


@pytest.fixture
def timeouts() -> Iterator[Timeouts]:
    """Return limits of a tenth of a second, in this process."""
    made = Timeouts(0.1, 20, NoLog(), None)
    yield made
    made.pytest_unconfigure()


def test_handler_raises_in_a_phase(timeouts: Timeouts) -> None:
    """The exception is a failure to pytest, and the line is known."""
    phase = timeouts.limited(
        lambda: pytest.CallInfo.from_call(lambda: time.sleep(1000), when="call")
    )
    assert phase.excinfo is not None
    assert phase.excinfo.type is pytest.fail.Exception
    assert timeouts.has_hung
    hang = timeouts.finding("call")
    assert not timeouts.has_hung
    assert hang.phase == "call"
    assert hang.message == "Test timed out after 0.1 s (--memory-timeout)"
    assert "test_python_stacks.py" in frames(hang.further[0].stack)[0]


def test_debugger_stops_the_timer(timeouts: Timeouts) -> None:
    """A debugging session may take long."""

    def debug() -> None:
        timeouts.pytest_enter_pdb()
        time.sleep(0.3)

    timeouts.limited(lambda: pytest.CallInfo.from_call(debug, when="call"))
    assert not timeouts.has_hung
