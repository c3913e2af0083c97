"""What kinds of errors and leaks the engines can find."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What can be found; the value is how reports call it (memcheck's manual, 4.2)."""

    INVALID_READ = "invalid read"
    INVALID_WRITE = "invalid write"
    INVALID_JUMP = "invalid jump"
    INVALID_FREE = "invalid free"
    MISMATCHED_FREE = "mismatched free"
    UNINITIALISED = "uninitialised value"
    SYSCALL = "bad system call argument"
    OVERLAP = "overlapping copy"
    FISHY_SIZE = "fishy size"
    UNADDRESSABLE = "unaddressable bytes"
    MEMORY_POOL = "bad memory pool"
    DESCRIPTOR = "bad file descriptor"
    #: Left open by a test, as seen at the end. Older valgrinds do not count it.
    OPEN_DESCRIPTOR = "open descriptor"
    #: Not counted: a program may be prepared for it.
    UNKNOWN_INSTRUCTION = "unknown instruction"
    FATAL_SIGNAL = "fatal signal"
    OTHER_ERROR = "error"
    #: These six are resources that a test has left (pytest_valgrind/resources).
    MAPPING = "open mapping"
    THREAD = "running thread"
    NATIVE_THREAD = "running native thread"
    CHILD_PROCESS = "child process"
    TEMPORARY_FILE = "temporary file"
    GARBAGE = "uncollectable object"
    #: These four by the guards of the native engine.
    OVERFLOW = "write past the end"
    WRITE_AFTER_FREE = "write after free"
    DOUBLE_FREE = "double free"
    NATIVE_INVALID_FREE = "free of no block"
    #: The test ran for too long. Not counted, as it is not valgrind who says so.
    TIMEOUT = "timeout"
    #: The error counter moved and the log does not say why.
    UNSHOWN = "error not shown again"
    DEFINITE = "definitely lost"
    INDIRECT = "indirectly lost"
    POSSIBLE = "possibly lost"
    REACHABLE = "still reachable"

    @property
    def is_leak(self) -> bool:
        """Whether a leak check found it, rather than the execution of an instruction."""
        return self in LEAKS

    @property
    def is_leftover(self) -> bool:
        """Whether it is a resource that was opened and not closed."""
        return self in LEFTOVERS

    @property
    def is_counted(self) -> bool:
        """Whether valgrind counts it as an error."""
        return not (self.is_leak or self in _NOT_COUNTED)

    @property
    def is_about_descriptors(self) -> bool:
        """Whether it is looked for only where the user asks for it.

        In Python, the interpreter's code is what opens and closes all descriptors.
        """
        return self in _DESCRIPTORS

    @property
    def is_harmful_anywhere(self) -> bool:
        """Whether it corrupts memory, or may, whoever does it."""
        return self in _HARMFUL

    @property
    def is_seen_late(self) -> bool:
        """Whether it is seen some time after it happened, when a block is freed or looked at."""
        return self in (Kind.OVERFLOW, Kind.WRITE_AFTER_FREE)

    @property
    def is_at_a_line(self) -> bool:
        """Whether a line of Python can be found that did it."""
        return not (self is Kind.TIMEOUT or self.is_leftover or self.is_seen_late)


_HARMFUL = frozenset(
    {
        Kind.INVALID_READ,
        Kind.INVALID_WRITE,
        Kind.INVALID_JUMP,
        Kind.INVALID_FREE,
        Kind.MISMATCHED_FREE,
        Kind.OVERFLOW,
        Kind.WRITE_AFTER_FREE,
        Kind.DOUBLE_FREE,
        Kind.NATIVE_INVALID_FREE,
        Kind.FATAL_SIGNAL,
    }
)
#: In the order in which they are counted in the summary.
LEFTOVERS = (
    *(Kind.OPEN_DESCRIPTOR, Kind.MAPPING, Kind.THREAD, Kind.NATIVE_THREAD),
    *(Kind.CHILD_PROCESS, Kind.TEMPORARY_FILE, Kind.GARBAGE),
)
_NOT_COUNTED = frozenset({Kind.UNKNOWN_INSTRUCTION, Kind.TIMEOUT, *LEFTOVERS})
_DESCRIPTORS = frozenset({Kind.DESCRIPTOR, Kind.OPEN_DESCRIPTOR})
LEAKS = frozenset({Kind.DEFINITE, Kind.INDIRECT, Kind.POSSIBLE, Kind.REACHABLE})
