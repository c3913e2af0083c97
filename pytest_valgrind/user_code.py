"""Whose code it is, by its file: the user's, a library's, or what runs tests."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import _pytest
import pluggy

from pytest_valgrind.package import PACKAGE

#: What runs tests, and is not where a defect is looked for.
RUNNERS = tuple(
    str(path)
    for path in (*(Path(file).parent for file in (_pytest.__file__, pluggy.__file__)), PACKAGE)
)
_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_PACKAGES = f"{os.sep}site-packages{os.sep}"


def runs_tests(file: str) -> bool:
    """Whether code in a file runs tests, or imports modules: such frames are not shown."""
    return (
        not file
        or file.startswith((*RUNNERS, "<frozen "))
        or file.endswith(("/pytest/__main__.py", "/bin/pytest"))
        or "/importlib/" in file
    )


def is_users(file: str) -> bool:
    """Whether it is neither the standard library's, nor what runs tests."""
    return not runs_tests(file) and (not file.startswith(_LIBRARY) or _PACKAGES in file)


def is_written(file: str) -> bool:
    """Whether it is the user's, and was not made while running."""
    return is_users(file) and (not file.startswith("<") or file.startswith("<doctest "))


def is_tests(file: str) -> bool:
    """Whether it is no installed package's either."""
    return is_written(file) and _PACKAGES not in file


def place(file: str, line: int, function: str = "") -> str:
    """Return a place in words; the file's path is relative where it is below this directory."""
    here = f"{Path.cwd()}{os.sep}"
    words = f"{file.removeprefix(here)}:{line}"
    return f"{words} in {function}" if function else words
