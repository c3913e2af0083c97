"""The command that started this process, to be given once more."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_OF_PYTEST = ("pytest", "py.test", "pytest-3")
#: The interpreter's options that take a word; with the first two, its own options end.
_ENDING = "cm"
_WITH_WORD = "WX"


class Command(NamedTuple):
    """A command, and where it is given."""

    #: The interpreter first.
    words: list[str]
    #: None for the working directory.
    directory: Path | None = None
    #: The user's program that calls pytest, empty if it is pytest's own command.
    program: str = ""

    @classmethod
    def of_this_process(cls) -> Command:
        """Return the command that started this process.

        :raises pytest.UsageError: if it could not be given again, or would not come to pytest.
        """
        _refuse_what_cannot_start_again()
        words = [sys.executable, *sys.orig_argv[1:]]
        return cls(words, _starting_directory(), _own_program())


def _own_program() -> str:
    option, word = _target(sys.orig_argv)
    if option == "-c":
        return "the code of -c"
    path = _main_file()
    installed = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib", "scripts")}
    installed.add(str(Path(sys.executable).parent))
    if Path(path).name in _OF_PYTEST or any(path.startswith(f"{place}/") for place in installed):
        return ""
    return word


def _refuse_what_cannot_start_again() -> None:
    if not sys.executable or not sys.orig_argv:
        raise pytest.UsageError(
            "--valgrind: Python is embedded in another program, which cannot be started again: "
            "start it under valgrind yourself (PYTHONMALLOC=malloc valgrind "
            "--log-file=valgrind.%p.log PROGRAM)."
        )
    if threading.current_thread() is not threading.main_thread():
        raise pytest.UsageError(
            "--valgrind: pytest.main was called in a thread, and only the main thread can wait "
            "for the process under valgrind: call it there, or run python -m pytest."
        )
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        raise pytest.UsageError(
            "--valgrind: pytest.main was called in a multiprocessing process, which cannot "
            "be started again: call it in the main process, or run python -m pytest."
        )
    option, word = _target(sys.orig_argv)
    if hasattr(sys, "ps1"):
        raise pytest.UsageError(
            "--valgrind: an interactive session cannot be started again under valgrind: write "
            "the code to a file and run that, or run python -m pytest."
        )
    if not option and word in ("", "-"):
        raise pytest.UsageError(
            "--valgrind: the script came from standard input, which has been read by now and "
            "cannot be read again under valgrind: write the script to a file and run that."
        )
    if not option and _is_stream(_main_file()):
        raise pytest.UsageError(
            f"--valgrind: the script came from a pipe ({word}), which has been read by now and "
            "cannot be read again under valgrind: write the script to a file and run that."
        )


def _target(words: list[str]) -> tuple[str, str]:
    """Return what the interpreter runs: ``-c`` and code, ``-m`` and a module, or "" and a script.

    The script is empty or "-" for standard input. (Python/getopt.c in CPython's source.)
    """
    rest = iter(words[1:])
    for word in rest:
        if word == "--check-hash-based-pycs":
            next(rest, "")
        elif word == "--":
            return "", next(rest, "")
        elif word == "-" or not word.startswith("-"):
            return "", word
        elif not word.startswith("--") and (option := _option_with_word(word)):
            value = option[1:] or next(rest, "")
            if option[0] in _ENDING:
                return f"-{option[0]}", value
    return "", ""


def _option_with_word(word: str) -> str:
    """Return what begins at the first letter of some short options that takes a word."""
    places = (place for place, letter in enumerate(word) if letter in _ENDING + _WITH_WORD)
    return word[next(places, len(word)) :]


def _main_file() -> str:
    """Return the file of the program that runs; it is absolute, whatever the command said."""
    return str(getattr(sys.modules.get("__main__"), "__file__", None) or "")


def _is_stream(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _starting_directory() -> Path | None:
    """Return where this process was started if its program has gone elsewhere since.

    The words of the command are relative to it, and what Python made of them is absolute. PWD
    does not tell: who starts a process elsewhere (``subprocess.run(cwd=...)``) leaves it as it is.
    """
    for word, path in _words_and_paths():
        for end in (f"/{word}", f"/{word.removeprefix('./')}"):
            if not word.startswith("/") and path.startswith("/") and path.endswith(end):
                start = Path(path.removesuffix(end) or "/")
                if _is_same(start / word, path) and not _is_same(start, os.curdir):
                    return start
    return None


def _words_and_paths() -> Iterator[tuple[str, str]]:
    option, script = _target(sys.orig_argv)
    if not option and script:
        path = _main_file()
        yield script, path
        yield script, path.removesuffix("/__main__.py")  # of a directory, or of an archive
    if "/" in sys.orig_argv[0]:  # else it was found by PATH
        yield sys.orig_argv[0], sys.executable


def _is_same(one: Path | str, other: Path | str) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 (either may be a string)
    except OSError:
        return False
