"""Which code is the user's, for saying where something leaks."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from pytest_valgrind.memcheck.python_functions import runs_tests

_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_PACKAGES = f"{os.sep}site-packages{os.sep}"


def is_users(file: str) -> bool:
    """Whether it is neither the standard library's, nor what runs tests."""
    return not runs_tests(file) and (not file.startswith(_LIBRARY) or _PACKAGES in file)


def is_tests(file: str) -> bool:
    """Whether it is no installed package's either, nor made while running."""
    is_made = file.startswith("<") and not file.startswith("<doctest ")
    return is_users(file) and _PACKAGES not in file and not is_made


def place(file: str, line: int, function: str = "") -> str:
    """Return a place in words; the file's path is relative where it is below this directory."""
    here = f"{Path.cwd()}{os.sep}"
    words = f"{file.removeprefix(here)}:{line}"
    return f"{words} in {function}" if function else words
