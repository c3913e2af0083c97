"""Waiting for a process that runs the tests, which is the one to deal with signals."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal

from pytest_valgrind.parent_death import die_with_parent

#: How far a process has come with an interrupt: it runs no session yet, or does, or ends it.
Progress = Literal["starts", "runs", "is interrupted"]

# The sender of a signal, by siginfo's si_code (sigaction(2)): a terminal sends Ctrl-C to all
# processes in the foreground.
_BY_KERNEL = 0x80
# Seconds until a process has said that it was interrupted, if it was: one signal for a whole
# process group reaches it, too, and two would end its session at once.
_GRACE = 2.0
# Seconds after which the process is looked at anyway: a thread may have taken the signal.
_INTERVAL = 1.0


class Waiting:
    """Signals are held back from when it is entered, and the process is sent those that it lacks.

    What this process ignores, it goes on to ignore: a shell has all in the background do so.

    :ivar was_interrupted: whether somebody interrupted this process.
    :ivar forwarded: the signals that ask for an end.
    """

    def __init__(self) -> None:
        self.was_interrupted = False
        self.forwarded: list[int] = []
        heard = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        self._heard = {number for number in heard if not _is_ignored(number)} | {signal.SIGCHLD}
        self._mask: set[int] = set()
        self._ignores_children = _is_ignored(signal.SIGCHLD)

    def __enter__(self) -> Waiting:
        if self._ignores_children:
            # By whoever started this process; nobody could tell then how a child ended.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._heard))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        if self._ignores_children:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    def prepare(self, held_back: set[signal.Signals]) -> None:
        """Give a new process the state that this one had; to be called in the new one.

        :param held_back: signals that it shall not see until it asks for them.
        """
        if self._ignores_children:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask | held_back)
        die_with_parent()

    def end_of(self, process: subprocess.Popen[bytes], progress: Callable[[], Progress]) -> int:
        """Wait for the end of a process and return its exit code.

        :param progress: says how far it has come.
        """
        due: float | None = None
        while (code := process.poll()) is None:
            info = signal.sigtimedwait(self._heard, _INTERVAL if due is None else _GRACE / 4)
            if due is not None and time.monotonic() > due:
                due = None
                if progress() == "runs":
                    process.send_signal(signal.SIGINT)
            if info is None or info.si_signo == signal.SIGCHLD:
                continue
            if info.si_signo != signal.SIGINT:
                self.forwarded.append(info.si_signo)
                process.send_signal(info.si_signo)
                continue
            is_first = not self.was_interrupted
            self.was_interrupted = True
            state = progress()
            if state == "starts":
                process.kill()
            elif info.si_code != _BY_KERNEL and due is None:
                if state == "runs":
                    due = time.monotonic() + _GRACE
                elif not is_first:  # the first may be what has interrupted it, and it was quicker
                    process.send_signal(signal.SIGINT)
        return code


@contextlib.contextmanager
def ending_orderly() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end this process as sys.exit does, so that it leaves nothing."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if _is_default(number)]
    for number in numbers:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _is_ignored(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN


def _is_default(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_DFL
