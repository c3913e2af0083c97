"""Where in Python things are opened: an audit hook (PEP 578) that notes the line.

The interpreter raises an event for each file, socket, thread and process that Python code opens or
starts. A hook of Python takes 0.2 microseconds for each event, and a trivial test of pytest raises
22 of them (CPython 3.11, pytest 9): 5 microseconds a test. A second run of the test would find the
line as well, and do to the world outside again what the test does.
"""

from __future__ import annotations

import sys
import sysconfig
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import PurePath
from types import CodeType, FrameType
from typing import NamedTuple

from pytest_valgrind.findings.stack import Frame, Owner, Stack

# A test may open files for ever.
_MOST = 10_000
# Of a stack when something is opened; the functions of pytest below the test are among these.
_MOST_FRAMES = 30
# Of those, shown.
_MOST_SHOWN = 3
_BELOW_TESTS = ("_pytest", "pluggy")


class Opening(NamedTuple):
    """Something is about to be opened."""

    event: str  #: as the table of audit events has it
    what: object  #: a path, a weak reference, arguments: by the event
    frames: tuple[tuple[CodeType, int], ...]  #: code and line, the most recent call first

    @property
    def stack(self) -> Stack:
        """The functions that are not the standard library's, from the innermost on."""
        shown: list[Frame] = []
        for code, line in self.frames:
            name = code.co_filename
            if _is_below_tests(name):
                break
            if not _is_of_library(name):
                function = getattr(code, "co_qualname", code.co_name)  # from 3.11 on
                shown.append(
                    Frame(0, function, PurePath(name).name, line, owner=Owner.PYTHON, path=name)
                )
        return tuple(shown[:_MOST_SHOWN])


class Openings:
    """Notes what is opened while it listens.

    :ivar count: of all such events so far.
    """

    def __init__(self) -> None:
        self.noted: deque[Opening] = deque(maxlen=_MOST)
        self.count = 0
        #: Whether what is opened now is of no interest.
        self.is_paused = False

    def listen(self) -> None:
        """Begin."""
        if not _listeners and not _is_installed:
            _install()
        _listeners.append(self)

    def stop(self) -> None:
        """End; the hook itself stays, as the interpreter has no way to take one out."""
        if self in _listeners:
            _listeners.remove(self)

    def note(self, event: str, what: object, frame: FrameType | None) -> None:
        """Note an event, raised in a frame."""
        frames: list[tuple[CodeType, int]] = []
        while frame is not None and len(frames) < _MOST_FRAMES:
            frames.append((frame.f_code, frame.f_lineno))
            frame = frame.f_back
        self.count += 1
        self.noted.append(Opening(event, what, tuple(frames)))


_listeners: list[Openings] = []
_is_installed: list[bool] = []


def _install() -> None:
    wanted = _WANTED.get
    listeners = _listeners
    get_frame = sys._getframe

    def note(event: str, arguments: tuple[object, ...]) -> None:
        what = wanted(event)
        if what is not None and listeners:
            said, frame = what(arguments), get_frame(1)
            for listener in listeners:
                if not listener.is_paused:
                    listener.note(event, said, frame)

    _is_installed.append(True)
    sys.addaudithook(note)


def _first(arguments: tuple[object, ...]) -> object:
    return arguments[0]


def _all(arguments: tuple[object, ...]) -> object:
    return arguments


def _socket(arguments: tuple[object, ...]) -> object:
    # A strong reference would keep it open.
    try:
        return weakref.ref(arguments[0])
    except TypeError:  # the C base class
        return None


def _thread(arguments: tuple[object, ...]) -> object:
    thread = getattr(arguments[0], "__self__", None)
    return None if thread is None else weakref.ref(thread)


#: By event: what to keep of its arguments.
_WANTED: dict[str, Callable[[tuple[object, ...]], object]] = {
    "open": _first,
    "sqlite3.connect": _first,
    "socket.__new__": _socket,
    "tempfile.mkstemp": _first,
    "tempfile.mkdtemp": _first,
    "mmap.__new__": _all,
    "subprocess.Popen": _all,
    "os.posix_spawn": _all,
    "os.fork": _all,
    "os.forkpty": _all,
    "_thread.start_new_thread": _thread,
    "_thread.start_joinable_thread": _thread,
}

_LIBRARY = tuple(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib"))
_PACKAGES = ("site-packages", "dist-packages")


def _is_of_library(path: str) -> bool:
    return path.startswith("<frozen") or (
        path.startswith(_LIBRARY) and not any(f"/{name}/" in path for name in _PACKAGES)
    )


def _is_below_tests(path: str) -> bool:
    return any(f"/{name}/" in path for name in _BELOW_TESTS)
