"""Starts an interpreter under valgrind in which pytest-xdist runs a worker.

    python -m pytest_valgrind.workers.start_worker ORDERS ARGUMENT...

stands where xdist would start ``python ARGUMENT...``. It is on the worker's machine, which may be
another than the controller's, and stays until the worker ends, to say how it did.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_valgrind.command import Command
from pytest_valgrind.launching.engines import launch_of
from pytest_valgrind.settings import Settings


class StartRequest(NamedTuple):
    """What the controller wants to be started."""

    #: Names the directory of the worker's log and journal.
    token: str
    settings: Settings

    def command(self, python: str) -> str:
        """Return the command that carries them out, without the arguments of the interpreter.

        :param python: command of the interpreter.
        """
        return f"{python} -m pytest_valgrind.workers.start_worker {self._encoded()}"

    @classmethod
    def decoded(cls, text: str) -> StartRequest:
        """Return the request of a command line."""
        values = json.loads(base64.urlsafe_b64decode(text))
        return cls(values["token"], Settings.decoded(values["settings"]))

    def _encoded(self) -> str:
        text = json.dumps({"token": self.token, "settings": self.settings.encoded()})
        # No shell on the way has anything to quote in it.
        return base64.urlsafe_b64encode(text.encode()).decode()


def directory(token: str) -> Path:
    """Return where a worker's log and journal are."""
    return Path(tempfile.gettempdir(), f"pytest-valgrind-{token}")


def main() -> int:
    """Start the interpreter, wait for it, and return its exit code."""
    request, arguments = StartRequest.decoded(sys.argv[1]), sys.argv[2:]
    settings = request.settings
    if settings.log and "%p" not in settings.log.name:
        log = settings.log
        # One for each worker.
        settings = settings._replace(log=log.with_name(f"{log.stem}.%p{log.suffix}"))
    try:
        command = Command([sys.executable, *arguments], program="execnet")
        return launch_of(command, settings, directory(request.token)).run().code
    except pytest.UsageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return pytest.ExitCode.USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
