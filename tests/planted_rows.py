"""A row for a planted defect of tests/suites/planted: what it is, and what is to be reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LEAK = "[VALGRIND LEAK]"
ERROR = "[VALGRIND ERROR]"
BOTH = "[VALGRIND ERROR+LEAK]"
LOST = "definitely lost"
CALL = "call"


@dataclass(frozen=True)
class Row:
    """A defect at a place."""

    what: str
    place: str
    tests: tuple[str, ...]  #: those that have it
    header: str
    words: tuple[str, ...]  #: of its report
    function: str  #: with the defect, or the last to allocate what is lost
    #: How often it occurs, all in all.
    times: int = 1
    #: What of the summary it is listed in, where it fails no test.
    listed: str = ""
    #: Why it is neither found nor can be.
    limit: str = ""
    #: Whether that is so in some places only, and not sure here.
    varies: bool = False
    #: Why the report cannot name the function.
    nameless: str = ""

    @property
    def fails(self) -> tuple[str, ...]:
        """The tests that it is to fail."""
        return () if self.limit or self.listed else self.tests

    @property
    def is_leak(self) -> bool:
        """Whether it is a leak that a test is to fail for."""
        return any(LOST in words for words in self.words)


def error(function: str, what: str, *words: str) -> Row:
    """Return the row of an error in the call of a test."""
    return Row(what, CALL, (f"test_error[{function}]",), ERROR, words, function)


def leak(function: str, what: str, *words: str, nameless: str = "") -> Row:
    """Return the row of a leak in the call of a test."""
    return Row(
        f"lost {what}", CALL, (f"test_leak[{function}]",), LEAK, words, function, nameless=nameless
    )


def both(place: str, size: int, read: str, lose: str, at: str, *words: str) -> Iterator[Row]:
    """Return the rows of a place: an error and a leak.

    :param size: of their blocks.
    :param read: the test with the error.
    :param lose: the test with the leak.
    :param at: what the functions are called after.
    :param words: more ones of the error's report.
    """
    past = ("Address 0x", f"is 0 bytes after a block of size {size} alloc'd")
    words = ("Invalid read of size 1", *past, *words)
    yield Row("invalid read", place, (read,), ERROR, words, f"read_{at}")
    yield Row("lost block", place, (lose,), LEAK, (lost(size),), f"lose_{at}")


def lost(size: int, blocks: int = 1) -> str:
    """Return the words for lost blocks."""
    verb = "block is" if blocks == 1 else "blocks are"
    return f"{size} bytes in {blocks} {verb} {LOST}"
