"""How long a test may run, and what happens to one that takes longer.

The timer goes off (csrc/timer.c), and both stacks are written down. Python's own handler then fails
the test; where it cannot be called, as the test does not come back from C, the process ends.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic  # by name, as tests replace the functions of the module
from types import FrameType
from typing import Protocol, TypeVar

import pytest

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.memcheck.parser import HANG
from pytest_valgrind.memcheck.python_stacks import PHASE, with_python_stacks

#: pytest's name for this plugin.
NAME = "valgrind_timeouts"

# A test that does not come back from C has so many seconds more, or that part of its time.
_LEAST_GRACE = 10.0
_GRACE = 0.1
# A test that goes on after so many timeouts catches whatever is raised in it.
_MOST_IN_A_PHASE = 3
# Between phases it is pytest and plugins that take their time: under valgrind, a report may take
# seconds. After so many times of grace, five minutes at least, it is they that hang.
_MOST_BETWEEN_PHASES = 30
# Seconds; what is longer does not fit into the system's own numbers.
_FOREVER = 1e9

Result = TypeVar("Result")


class Watcher(Protocol):
    """The engine: it knows the C stack of a test that hangs, where there is one."""

    @property
    def name(self) -> str:
        """As lines of the header begin."""

    @property
    def hints(self) -> set[str]:
        """What to do for better findings."""

    def mark(self) -> int:
        """Return how much is known by now."""

    def hang(self, mark: int) -> Finding | None:
        """Return what came to be known since."""


class Settings(Protocol):
    """The part of pytest-timeout's settings for a test that is used here."""

    @property
    def timeout(self) -> float: ...


class _Limit:
    """How long something may take.

    :param whence: who says so.
    """

    def __init__(self, seconds: float, whence: str) -> None:
        self.seconds = min(seconds, _FOREVER)
        self.grace = max(_LEAST_GRACE, _GRACE * self.seconds)
        self.words = f"{HANG}{seconds:g} s ({whence})"
        self.encoded = self.words.encode()
        #: A time of ``monotonic``.
        self.end = 0.0


class Timeouts:
    """Fails a test that runs for too long. It is a pytest plugin, as pytest-timeout asks hooks.

    Nothing is done before there is a timeout.

    :param seconds: for each test, None if there is no limit.
    :param factor: for the timeouts of pytest-timeout.
    :param path: for the stacks of Python, so that they are there when the process has ended.
    """

    def __init__(
        self,
        seconds: float | None,
        factor: float,
        watcher: Watcher,
        path: Path | None,
    ) -> None:
        self._factor = factor
        self._watcher = watcher
        self._path = path
        self._timer: _Timer | None = None
        self._own = [_Limit(seconds, "--memory-timeout")] if seconds else []
        #: That, and pytest-timeout's for the running test.
        self._limits = self._own
        self._is_in_test = False
        #: Timeouts since the last phase that ended, in a phase and between two.
        self._strikes = 0
        self._waits = 0
        #: Whether the next phase has all the time that there is, as one before used up its own.
        self._grants_more = False
        self._mark = watcher.mark()
        self._hung: tuple[_Limit, str] | None = None
        if self._own:
            self._make_timer()

    def limited(self, protocol: Callable[[], Result]) -> Result:
        """Run the protocol of a test."""
        self._is_in_test = True
        self._strikes = self._waits = 0
        self._grants_more = False
        if self._limits:
            self._begin()
        try:
            return protocol()
        finally:
            self._leave()

    @property
    def has_hung(self) -> bool:
        """Whether the test has run for too long, and :meth:`finding` has not been asked."""
        return self._hung is not None

    def finding(self, phase: str) -> Finding:
        """Return where the test hung, at the end of the phase in which it did."""
        assert self._hung is not None
        limit, written = self._hung
        hang = self._watcher.hang(self._mark) or Finding(Kind.TIMEOUT, limit.words)
        self._mark = self._watcher.mark()
        self._hung = None
        self._strikes = self._waits = 0
        self._grants_more = True
        return with_python_stacks(replace(hang, phase=phase), written)

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """Say what limits there are."""
        name = self._watcher.name
        lines = [f"{name}: a test may take {limit.seconds:g} s" for limit in self._own]
        if getattr(config, "_env_timeout", None):  # pytest-timeout says it, as it was given
            lines.append(f"{name}: timeouts of pytest-timeout are multiplied by {self._factor:g}")
        return lines

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Multiply the session's own timeout, which pytest-timeout looks at between tests."""
        module = session.config.pluginmanager.get_plugin("timeout")
        length: pytest.StashKey[float] | None = getattr(module, "SESSION_TIMEOUT_KEY", None)
        end: pytest.StashKey[float] | None = getattr(module, "SESSION_EXPIRE_KEY", None)
        stash = session.config.stash
        if length and end and stash.get(end, 0):
            more = stash[length] * (self._factor - 1)
            stash[length] += more
            stash[end] += more

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, settings: Settings) -> bool:
        """Do what pytest-timeout is about to do, with more time.

        Its signal would fail the test as any failure does, with Python's stack at most, and its
        thread would end the process with all that is not reported yet.
        """
        seconds = settings.timeout * self._factor
        whence = f"pytest-timeout's {settings.timeout:g} s, multiplied by {self._factor:g}"
        limit = _Limit(seconds, whence)
        # Else it counts from the beginning of the protocol on.
        if self._is_in_test:
            limit.end = monotonic() + limit.seconds
        if self._timer is None:
            self._make_timer()
        self._limits = [*self._own, limit]
        self._set()
        return True

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_cancel_timer(self) -> bool:
        """Take it back."""
        self._limits = self._own
        self._set()
        return True

    def pytest_enter_pdb(self) -> None:
        """Stop the timer while pdb is active."""
        self._leave()

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        if self._timer:
            self._timer.close()

    def _next(self) -> _Limit | None:
        limits = self._limits if self._is_in_test else ()
        return min(limits, key=lambda limit: limit.end, default=None)

    def _make_timer(self) -> None:
        try:
            self._timer = _Timer(self._expired, self._path)
        except (OSError, ValueError) as error:
            self._watcher.hints.add(f"tests may run for ever, as there is no timer: {error}")

    def _begin(self) -> None:
        for limit in self._limits:
            limit.end = monotonic() + limit.seconds
        self._set()

    def _set(self) -> None:
        if self._timer is None:
            return
        if limit := self._next():
            client.set_timer(limit.end, limit.grace, limit.encoded)
        else:
            client.stop_timer()

    def _leave(self) -> None:
        self._is_in_test = False
        if self._timer:
            client.stop_timer()

    def _expired(self, _signal: int, frame: FrameType | None) -> None:
        """Have the test fail, if that is what an exception here does; else try again later."""
        __tracebackhide__ = True
        limit = self._next()
        assert self._timer is not None
        if limit is None or monotonic() < limit.end:  # just before it went off, it was set anew
            self._timer.take_stacks()
            self._set()
            return
        if self._strikes == _MOST_IN_A_PHASE or self._waits == _MOST_BETWEEN_PHASES:
            client.end_hung_process()
        written = self._timer.take_stacks()
        if not _is_in_phase(frame):
            self._waits += 1
            self._grants_more = True
            limit.end = monotonic() + limit.grace
            self._set()
            return
        self._waits = 0
        if self._grants_more:
            self._grants_more = False
            self._begin()
            return
        self._strikes += 1
        self._hung = limit, written
        # The test may catch it, and there is its teardown, and perhaps another run.
        self._begin()
        # pytest's own exception, as it is none that `except Exception` catches.
        raise pytest.fail.Exception(limit.words)


class _Timer:
    """The timer of the process, and the signal that it sends.

    :param expired: Python's handler of the signal.
    :param path: for the stacks of Python.
    :raises OSError: if there can be no timer, or no file for the stacks.
    :raises ValueError: if this is not the main thread, in which alone Python handles signals.
    """

    def __init__(self, expired: Callable[[int, FrameType | None], None], path: Path | None) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("tests do not run in the main thread")
        # Valgrind has the last one for itself.
        candidates = range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1)
        self._signal = next(
            number for number in candidates if signal.getsignal(number) is signal.SIG_DFL
        )
        if path:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        else:
            self._file = os.memfd_create("python-stacks")
        signal.signal(self._signal, expired)
        tell_interpreter = client.handler_of(self._signal)
        faulthandler.register(self._signal, self._file, all_threads=True)
        write_stacks = client.handler_of(self._signal)
        error = client.create_timer(self._signal, write_stacks, tell_interpreter, path is not None)
        if error:
            self._release()
            raise OSError(error, os.strerror(error))

    def take_stacks(self) -> str:
        """Return what faulthandler has written, and have it begin anew."""
        size = os.lseek(self._file, 0, os.SEEK_CUR)
        written = os.pread(self._file, size, 0)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        return written.decode(errors="replace")

    def close(self) -> None:
        """Leave the signal as it was."""
        client.delete_timer()
        self._release()

    def _release(self) -> None:
        faulthandler.unregister(self._signal)
        signal.signal(self._signal, signal.SIG_DFL)
        os.close(self._file)


def _is_in_phase(frame: FrameType | None) -> bool:
    """Whether pytest catches an exception that is raised in a frame, as a failure of the test."""
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is PHASE:
            return True
    return False
