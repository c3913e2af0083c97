"""Garbage collection around tests."""

from __future__ import annotations

import gc

# Finalisers may go on making garbage for ever.
_MOST_ROUNDS = 20


class Garbage:
    """Collects what tests leave behind.

    :param freeze: whether what has survived is taken out of later collections (``gc.freeze``): a
        round then takes 0.1 ms rather than 80, as it looks at a test's own objects only. All of
        them are looked at again at the end of a module.
    """

    def __init__(self, *, freeze: bool) -> None:
        self._freeze = freeze

    def empty_free_lists(self) -> None:
        """Have CPython give back the blocks that it keeps for new objects of the same type.

        A block from there carries the stack of its first use, so that what a test loses would seem
        to be made by another. A full collection empties them.
        """
        gc.collect()

    def settle(self) -> None:
        """Collect until a round frees nothing."""
        for _ in range(_MOST_ROUNDS):
            freed = gc.collect()
            if self._freeze:
                gc.freeze()
            if freed == 0:
                break

    def settle_everything(self) -> None:
        """Settle, with what has been taken out of collections.

        One round looks at everything; those after it, if frozen, at what finalisers have made.
        """
        if self._freeze:
            gc.unfreeze()
        self.settle()
