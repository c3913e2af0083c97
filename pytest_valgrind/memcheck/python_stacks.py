"""Where in Python a test hung, from what faulthandler wrote down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Frame, Further, Owner
from pytest_valgrind.user_code import runs_tests

# As Python/traceback.c in CPython's source has them; names of threads come with 3.14.
_THREAD = r"(Current thread|Thread) (0x[0-9a-f]+)(?: \[(.*)\])? \(most recent call"
_FRAME = r'  File "(.*)", line (\d+) in (.*)'
# Threads of plugins, which are there in every test.
_PLUGINS = (
    r"/(execnet|xdist)/|/pytest_rerunfailures\.py |<string> (_perform_spawn|_thread_receiver)$"
)
_START = r"/threading\.py (run|_bootstrap|_bootstrap_inner)$"
#: The code below which pytest runs a phase of a test, and catches what is raised.
PHASE = pytest.CallInfo.from_call.__func__.__code__  # type: ignore[attr-defined]


def with_python_stacks(hang: Finding, written: str) -> Finding:
    """Return a hang with the stacks of Python's threads, that of the test first.

    :param written: by faulthandler.
    """
    own: list[Further] = []
    others: list[Further] = []
    for text in written.split("\n\n"):
        head, *lines = text.splitlines() or [""]
        thread = re.match(_THREAD, head)
        frames = tuple(_frames(lines))
        if thread is None or not frames:
            continue
        if thread[1] == "Current thread":
            own.append(Further("in Python, the most recent call first:", frames))
        elif not any(re.search(_PLUGINS, f"{frame.file} {frame.function}") for frame in frames):
            name = f"{thread[3]} ({thread[2]})" if thread[3] else thread[2]
            others.append(Further(f"in Python, in thread {name}:", frames))
    return replace(hang, further=(*hang.further, *own, *others))


def _frames(lines: Iterable[str]) -> Iterator[Frame]:
    """Return the frames of a stack, down to where pytest or the thread begins."""
    for line in lines:
        if match := re.fullmatch(_FRAME, line):
            file, number, function = match.groups()
            if (file, function) == (PHASE.co_filename, PHASE.co_name):
                return
            if not (runs_tests(file) or re.search(_START, f"{file} {function}")):
                yield Frame(0, function, file, int(number), owner=Owner.PYTHON, path=file)
