"""Stale pointers: what dead slots of the interpreter's stack still point to.

A leak check takes a block for reachable if its address stands anywhere in memory that is
reachable, so a lost object stays hidden while a slot of a frame that has returned holds it. It
would show in the check after a later test, which overwrites the slot, and be blamed on that one.
"""

from __future__ import annotations

from collections.abc import Callable

# Seen to be enough on CPython 3.11 to 3.13 for tests that call some functions deep.
_CALLS = 25
_SLOTS = 25


def _made_recursive() -> Callable[[int], None]:
    slots = " = ".join(f"slot{number}" for number in range(_SLOTS))
    # Written out by hand it would be a page of names.
    source = (
        f"def overwrite(calls):\n    {slots} = None\n    if calls:\n        overwrite(calls - 1)"
    )
    namespace: dict[str, Callable[[int], None]] = {}
    exec(source, namespace)
    return namespace["overwrite"]


_overwrite = _made_recursive()


def overwrite_stale_pointers() -> None:
    """Overwrite the slots above the top of the interpreter's stack."""
    _overwrite(_CALLS)
