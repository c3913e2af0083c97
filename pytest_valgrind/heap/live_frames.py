"""The stacks of Python functions that are executed while a clone looks for leaks (3.11 on)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from opcode import opmap
from types import CodeType, FrameType

from pytest_valgrind import client

#: By the instruction with which a function returns: how many places of its stack are in use then.
_LEFT_ON_STACK = {
    opmap[name]: left
    for name, left in (("RETURN_VALUE", 1), ("RETURN_CONST", 0))
    if name in opmap  # the second is 3.12's and 3.13's
}


def forget_dead_places(concerns: Callable[[str], bool] = bool) -> None:
    """Forget, in the clone, what lies behind the stacks of the functions that are executed.

    There is the argument of the call that has just ended, and objects of before that had the same
    addresses: they would hide what was lost. Where the end of a stack is not known, as its function
    calls C, none of it keeps a block of a test. Between tests it holds nothing of them.

    :param concerns: whether this is about the functions of a file; all, unless it is given.
    """
    here = threading.get_ident()
    for thread, last in sys._current_frames().items():
        # Of other threads, that in which a worker of pytest-xdist gets its messages.
        _forget_in(last, concerns if thread == here else _is_of_execnet)


def _is_of_execnet(file: str) -> bool:
    return f"{os.sep}execnet{os.sep}" in file


def _forget_in(last: FrameType, concerns: Callable[[str], bool]) -> None:
    frame: FrameType | None = last
    while frame is not None:
        code = frame.f_code
        if concerns(code.co_filename):
            variables, words = _places(code)
            left = _LEFT_ON_STACK.get(code.co_code[frame.f_lasti])
            used = words if left is None else variables + left
            client.forget_room_in_frame(frame, variables, words, used)
        frame = frame.f_back


def _places(code: CodeType) -> tuple[int, int]:
    """Return how many places the frames of a function have for variables, and in all."""
    cells = {*code.co_cellvars}.difference(code.co_varnames)
    variables = code.co_nlocals + len(cells) + len(code.co_freevars)
    return variables, variables + code.co_stacksize
