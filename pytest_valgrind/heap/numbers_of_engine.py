"""What the native engine counts (csrc/heap.h)."""

from __future__ import annotations

from typing import NamedTuple


class Counters(NamedTuple):
    """Exact numbers of the whole process."""

    bytes: int  #: live, as they were asked for
    blocks: int
    peak_bytes: int  #: since the peak was reset
    allocations: int  #: so far


class Usage(NamedTuple):
    """What is in use, in bytes: blocks, as they were asked for, and anonymous mappings."""

    bytes: int
    peak_bytes: int  #: since the peaks were reset
    thread_bytes: int  #: blocks that the calling thread has made, less those that it has freed
    thread_peak_bytes: int  #: since it has reset the peaks


class MappingCounters(NamedTuple):
    """Mappings that were made by mmap(2) and are still there."""

    bytes: int
    mappings: int
    peak_bytes: int  #: since the peak was reset
    unlisted: int  #: for which there was no room, so far


class Account(NamedTuple):
    """What a check looked at, and what it took."""

    blocks: int  #: live ones
    root_bytes: int
    lost_blocks: int  #: of tests, and not acknowledged
    lost_bytes: int
    unlisted: int  #: of the lost blocks, those for which there was no room
    index_seconds: float  #: of processor time, in the clone
    mark_seconds: float
