"""The call of a test once more, in a fork and below memray: whole C stacks, with Python's lines.

memray unwinds the stack of each allocation, which the native engine does not. It is in the extra
``stacks``; what was allocated is known without it as well, but of C only the innermost function.
"""

from __future__ import annotations

import contextlib
import gc
import re
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_valgrind.limits.live_memory import NOTHING, Sizes
from pytest_valgrind.limits.stacks import Allocations, Stack, StackFrame, merged
from pytest_valgrind.limits.waiting_fork import WaitingFork
from pytest_valgrind.user_code import runs_tests

#: How much of what the test has left must be seen in the fork for it to be the same.
_NEARLY = 0.9
#: Stacks that are told: the largest.
_MOST = 1000
# Where CPython's source was when it was compiled, in whatever folder; and its names, where the
# source is not known.
_OF_INTERPRETER = re.compile(
    r"(^|/)(Objects|Python|Parser|Programs|Include(/internal|/cpython)?|Modules(/_\w+|/clinic)?)"
    r"/(clinic/)?\w+(\.c)?\.[ch]"
)
_NAME_OF_INTERPRETER = re.compile(r"_?Py[A-Z_]\w*")


def is_possible() -> bool:
    """Whether memray is installed."""
    return find_spec("memray") is not None


class NativeRun:
    """A fork of this process, which waits until somebody wants to know.

    :param item: the test.
    :param at_peak: whether it is to be known what is in use at most, rather than at the end.
    :param of_one_thread: whether only what the thread of the test makes counts.
    :raises OSError: if there cannot be another process.
    """

    def __init__(self, item: pytest.Item, *, at_peak: bool, of_one_thread: bool) -> None:
        self._fork = WaitingFork(item, partial(_run, item, at_peak, of_one_thread))

    def drop(self) -> None:
        """End it: nobody wants to know."""
        self._fork.drop()

    def allocations(self, like: Sizes = NOTHING) -> list[Allocations]:
        """Let it run, and return what it has seen; nothing if it dies or takes too long.

        :param like: what it must have seen at least: nothing is returned where it has not, as the
            test took another way.
        """
        seen = self._fork.answer() or []
        if sum(size for size, _ in seen) < like.total() * _NEARLY:
            return []
        return merged(
            Allocations(size, Stack(tuple(StackFrame(*frame) for frame in frames)))
            for size, frames in seen
        )


def _run(
    item: pytest.Item, at_peak: bool, of_one_thread: bool
) -> list[tuple[int, list[StackFrame]]]:
    import memray  # type: ignore[import-not-found,unused-ignore]

    gc.collect()  # garbage of before is not the test's
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "allocations")
        with contextlib.suppress(BaseException), memray.Tracker(path, native_traces=True):
            item.runtest()
            gc.collect()
        reader = memray.FileReader(path)
        records: Any = (
            reader.get_high_watermark_allocation_records(merge_threads=False)
            if at_peak
            else reader.get_leaked_allocation_records(merge_threads=False)
        )
        main = reader.metadata.main_thread_id
        counted = [each for each in records if not of_one_thread or each.tid == main]
        counted.sort(key=lambda each: each.size, reverse=True)
        return [(each.size, frames_of(each.hybrid_stack_trace())) for each in counted[:_MOST]]


def frames_of(trace: list[tuple[str, str, int]]) -> list[StackFrame]:
    """Return the frames of a stack down to the test, but for the interpreter's.

    :param trace: function, file and line, the most recent call first.
    """
    frames: list[StackFrame] = []
    for frame in trace:
        function, file, _ = frame
        if file.endswith(".py") and runs_tests(file):
            break
        if not _is_of_interpreter(function, file):
            frames.append(StackFrame(*frame))
    return frames


def _is_of_interpreter(function: str, file: str) -> bool:
    return bool(_OF_INTERPRETER.search(file)) or (
        file.startswith("<unknown") and bool(_NAME_OF_INTERPRETER.fullmatch(function))
    )
