"""Code, and what runs it, in words: the name, the file and the line."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any


def _at(name: object, code: CodeType, line: int | None) -> str:
    return f"{name}, {code.co_filename}:{line or code.co_firstlineno}"


def _name(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)  # from 3.11 on


def code_words(code: CodeType, _depth: int) -> str:
    """Describe code."""
    return _at(_name(code), code, None)


def function_words(function: FunctionType, _depth: int) -> str:
    """Describe a function."""
    return _at(function.__qualname__, function.__code__, None)


def frame_words(frame: FrameType, _depth: int) -> str:
    """Describe a frame, by the line at which it is."""
    return _at(_name(frame.f_code), frame.f_code, frame.f_lineno)


def traceback_words(traceback: TracebackType, _depth: int) -> str:
    """Describe an entry of a traceback, by the line at which it is."""
    code = traceback.tb_frame.f_code
    return _at(_name(code), code, traceback.tb_lineno)


def suspended_words(prefix: str) -> Callable[[Any, int], str]:
    """Return what describes a generator or a coroutine, by the prefix of its attributes."""

    def words(thing: Any, _depth: int) -> str:
        frame = getattr(thing, f"{prefix}_frame")
        code = getattr(thing, f"{prefix}_code")
        place = _at(thing.__qualname__, code, frame and frame.f_lineno)
        return place if frame else f"{place}, finished"

    return words
