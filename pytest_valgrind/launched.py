"""This process, if it was launched: what it has from the launcher, and what it tells it."""

from __future__ import annotations

import atexit
from typing import NamedTuple

from pytest_valgrind.handover import Handover
from pytest_valgrind.journal import Journal


class Launched(NamedTuple):
    """A process that another has started under valgrind."""

    handover: Handover
    journal: Journal

    @classmethod
    def adopt(cls, *, restores: bool) -> Launched | None:
        """Take over what the launcher has handed over, None if there was no launcher.

        To be called before anything is imported that may end the process.

        :param restores: whether programs which tests start run as they would without valgrind.
        """
        handover = Handover.adopt(restores=restores)
        if handover is None:
            return None
        journal = Journal(handover.journal)
        atexit.register(journal.finish)
        handover.save_memory_map()
        return cls(handover, journal)
