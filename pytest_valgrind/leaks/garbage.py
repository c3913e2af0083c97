"""Garbage collection around tests."""

from __future__ import annotations

import gc
from time import process_time  # by name, as tests replace the functions of the module

# What part of the tests' time looks at everything may take, at the ends of modules. A suite may
# consist of a thousand files with a test each.
_SHARE = 0.05
# Finalisers may go on making garbage for ever.
_MOST_ROUNDS = 20


class Garbage:
    """Collects what tests leave behind.

    :param freeze: whether what has survived is taken out of later collections (``gc.freeze``): a
        round then takes 0.1 ms rather than 80, as it looks at a test's own objects only. All of
        them are looked at again at the end of a module, if that does not take too long.
    :param spare: seconds that this may take beyond its share of the time that tests take.
    """

    def __init__(self, *, freeze: bool, spare: float = 0.0) -> None:
        self._freeze = freeze
        self._spare = spare
        self._slice: slice | None = None
        #: Seconds of processor time that the last look at everything took.
        self.price = 0.0
        # And all of them.
        self._spent = 0.0

    def empty_free_lists(self) -> None:
        """Have CPython give back the blocks that it keeps for new objects of the same type.

        A block from there carries the stack of its first use, so that what a test loses would seem
        to be made by another. A full collection empties them.
        """
        gc.collect()
        # All but the place for a single slice: it goes to where one is missing, and comes back.
        self._slice = None
        self._slice = slice(None)

    def settle(self) -> None:
        """Collect until a round frees nothing."""
        for _ in range(_MOST_ROUNDS):
            freed = gc.collect()
            if self._freeze:
                gc.freeze()
            if freed == 0:
                break

    def collect(self) -> None:
        """Collect until a round frees nothing, and take out nothing of later collections."""
        for _ in range(_MOST_ROUNDS):
            if gc.collect() == 0:
                break

    def settle_everything(self, *, thoroughly: bool = False) -> None:
        """Settle, with what has been taken out of collections.

        One round looks at everything; those after it, if frozen, at what finalisers have made.

        :param thoroughly: whether each round looks at everything: the callback of a weak reference
            may let go of what was in use until then. A check would take that for lost.
        """
        start = process_time()
        if self._freeze:
            gc.unfreeze()
        if thoroughly:
            self.collect()
            if self._freeze:
                gc.freeze()
        else:
            self.settle()
        self.price = process_time() - start
        self._spent += self.price

    def may_settle_everything(self, seconds: float) -> bool:
        """Whether the time for this is in proportion.

        :param seconds: that the tests took so far.
        """
        return self._spent + self.price <= self._spare + _SHARE * seconds


class NoGarbage(Garbage):
    """Collects nothing, where nobody looks for leaks."""

    def __init__(self) -> None:
        super().__init__(freeze=False)

    def empty_free_lists(self) -> None:
        """Do nothing."""

    def settle(self) -> None:
        """Do nothing."""

    def settle_everything(self, *, thoroughly: bool = False) -> None:
        """Do nothing."""
