"""A clone at work during every test but the first."""

from __future__ import annotations

import atexit
import os
from pathlib import Path

from pytest_valgrind.memcheck.check_backends import InClone

# Each test is a group of its own, whatever its check costs.
InClone.share = 1e9

EXITS = Path("exits")


class Finalised:
    """An object that says when it ends."""

    def __del__(self) -> None:
        """Say so."""
        say("finaliser")


def say(what: str) -> None:
    """Write a line."""
    with EXITS.open("a") as file:
        file.write(f"{what} {os.getpid() == OWN}\n")


OWN = os.getpid()
# The launcher has rehearsed the start in a process of its own.
EXITS.unlink(missing_ok=True)
atexit.register(say, "atexit")
alive = Finalised()
