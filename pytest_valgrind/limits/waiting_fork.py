"""A fork that waits: what a test does there, it does where the process was before the test."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import IO, Any

import pytest

from pytest_valgrind.fork import detach_output, forked, wait


class WaitingFork:
    """A fork of this process, made before a test: caches that it fills are still empty there.

    :param item: the test.
    :param work: what the fork does when it is woken; it returns what JSON can hold.
    :param longest: seconds that this may take.
    :raises OSError: if there cannot be another process.
    """

    def __init__(
        self, item: pytest.Item, work: Callable[[], object], longest: float = 60.0
    ) -> None:
        self._longest = longest
        self._answer = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        pipe = os.pipe()
        self.pid = forked(partial(_wait_and_work, pipe, self._answer, item, work))
        os.close(pipe[0])
        self._wake = pipe[1]

    def drop(self) -> None:
        """End it: nobody wants to know."""
        os.close(self._wake)
        self._answer.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def answer(self) -> Any:
        """Let it work, and return what comes of it; None if it dies or takes too long."""
        with self._answer as answer:
            os.write(self._wake, b"1")
            os.close(self._wake)
            if wait(self.pid, time.monotonic() + self._longest) != 0:
                return None
            answer.seek(0)
            return json.load(answer)


def _wait_and_work(
    pipe: tuple[int, int], answer: IO[str], item: pytest.Item, work: Callable[[], object]
) -> None:
    wakes, wake = pipe
    # Else the end of the process that would wake it is not seen.
    os.close(wake)
    if os.read(wakes, 1):
        detach_output(item.config)
        json.dump(work(), answer)
        answer.flush()
