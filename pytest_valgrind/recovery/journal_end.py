"""A journal in its file, and whether it ends well: the launcher need not know more, as a rule.

To take its records apart takes half of our modules, and an eighth of a short run's time.
"""

from __future__ import annotations

# The C half of pickle alone: the Python half takes as long to import as ten of our modules.
import _pickle as pickle
from pathlib import Path
from typing import NamedTuple


class Finished(NamedTuple):
    """The interpreter came to its end by itself, whatever the session did."""

    #: Whether the last session had come to its end before.
    after_session: bool = False


#: How records are written.
PROTOCOL = 4
_GOOD_END = pickle.dumps(Finished(after_session=True), protocol=PROTOCOL)


def read(path: Path) -> bytes:
    """Return a journal as it is by now, nothing if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def ends_well(journal: bytes) -> bool:
    """Whether a session and then the interpreter came to their ends."""
    return journal.endswith(_GOOD_END)
