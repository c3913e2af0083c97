"""This process under valgrind: what belongs to it, whichever sessions of pytest run in it."""

from __future__ import annotations

import atexit
import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

from pytest_valgrind import client
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.launching.run_directory import RunDirectory
from pytest_valgrind.leaks.loss_records import LossRecords
from pytest_valgrind.recovery.journal import Journal
from pytest_valgrind.recovery.leaks_before import LeaksBefore

if TYPE_CHECKING:
    from pytest_valgrind.session.engine import Engine
    from pytest_valgrind.settings import Settings


# Of blocks' headers: they do not begin again.
_NUMBERS = 1 << 31


class SessionChecker(Protocol):
    """What a session that is checked has to do with what happens in it."""

    @property
    def name(self) -> str:
        """Of the engine."""

    def session_begins(self) -> None:
        """Get ready once pytest has set a session up, this one or one inside."""

    def forked(self) -> None:
        """Notice, in a fork of this process, that it is one."""

    def nearer(self, work: Callable[..., object], *arguments: object) -> object:
        """Call a function of a session inside, in a frame of the test that runs."""


class Process:
    """A process that runs under valgrind: there is one of it, see :meth:`this`.

    Sessions run in it one after another, or one inside a test of another.

    :param run_directory: what the launcher has handed over, None if there was no launcher.
    """

    _this: ClassVar[Process | None] = None

    def __init__(self, run_directory: RunDirectory | None) -> None:
        self._pid = os.getpid()
        #: Whether nothing is known to hide lost objects from a check.
        self.is_prepared = client.prepare()
        #: Of the session that is checked; others that run meanwhile are part of it.
        self.checker: SessionChecker | None = None
        self.run_directory = run_directory
        self.journal = Journal(run_directory.journal if run_directory else None)
        #: The tests of all sessions by the numbers of their frames.
        self.item_numbers = ItemNumbers(
            client.NUMBERS if client.running_on_valgrind() else _NUMBERS
        )
        #: What is known to be lost, by leak checks of any session.
        self.loss_records = LossRecords()
        #: How often a session is to leave out which test, as a process that died has run it.
        self.left_out = Counter((run_directory and run_directory.passed_over) or ())
        self._engine: Engine | None = None

    @classmethod
    def this(cls, *, restores: bool = True) -> Process:
        """Return this process; take over what the launcher has handed over, if it has not been.

        To be called before anything is imported that may end the process.

        :param restores: whether programs which tests start run as they would without valgrind.
        """
        found = cls._this
        # A fork of a test is part of that; any other begins anew, and nobody reads its journal.
        if found is not None and (found.checker or found._pid == os.getpid()):
            return found
        if found is None:
            os.register_at_fork(after_in_child=cls._forked)
        run_directory = RunDirectory.adopt(restores=restores)
        cls._this = made = cls(run_directory)
        if run_directory:
            atexit.register(made.journal.finish)
            run_directory.save_memory_map()
        return made

    @classmethod
    def exists(cls) -> bool:
        """Whether there is one already."""
        return cls._this is not None

    @property
    def leaks_before(self) -> LeaksBefore | None:
        """What the native engine found in a run before, None if it was not asked."""
        path = self.run_directory and self.run_directory.leaks_before
        return LeaksBefore.read(path) if path else None

    @property
    def replaces_another(self) -> bool:
        """Whether it goes on where a process has died."""
        return self.run_directory is not None and self.run_directory.passed_over is not None

    def begin_checking(self, checker: SessionChecker) -> None:
        """Have all sessions be part of one until this ends."""
        self.checker = checker

    def end_checking(self) -> None:
        """Have the next session be one of its own."""
        self.checker = None

    @classmethod
    def _forked(cls) -> None:
        """Leave, in a fork, what belongs to its parent alone."""
        if (parent := cls._this) is not None:
            parent.journal.close()
            if parent.checker:
                parent.checker.forked()

    def engine(self, settings: Settings) -> Engine:
        """Return the engine, as the sessions so far have set it up.

        :param settings: of the first one, if this is it.
        :raises pytest.UsageError: if this process cannot be checked as asked for.
        """
        if self._engine is None:
            self._engine = self._made_engine(settings)
            if not self.is_prepared:
                self._engine.hints.add(
                    "the versions of dicts look like pointers in this build of Python 3.12, and "
                    "may hide lost objects: use another release"
                )
        return self._engine

    def _made_engine(self, settings: Settings) -> Engine:
        if client.running_on_valgrind():
            from pytest_valgrind.session.memcheck import Memcheck

            return Memcheck(settings, self.run_directory)
        from pytest_valgrind.session.heapcheck import Heapcheck

        return Heapcheck(self.run_directory)
