"""Python functions, by the numbers that stand in C stacks (csrc/functions.h)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind import client
from pytest_valgrind.user_code import RUNNERS

_FIELDS = 3


class PythonFunction(NamedTuple):
    """A Python function."""

    name: str  #: qualified, from 3.11 on
    file: str
    line: int  #: the first

    @property
    def runs_tests(self) -> bool:
        """Whether it is pytest's or ours."""
        return self.file.startswith(RUNNERS)


class PythonFunctions:
    """Knows the functions that a process has numbered, alive or dead.

    :param path: of the file with their names.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._functions: list[PythonFunction] = []

    def __getitem__(self, number: int) -> PythonFunction | None:
        """Return a function, None if the number is not known."""
        if number > len(self._functions):
            self._refresh()
        return self._functions[number - 1] if 0 < number <= len(self._functions) else None

    def _refresh(self) -> None:
        """Read what was added."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._read)
            # What is not written yet is zero; the last line may be half of one.
            text, _, _ = file.read().partition(b"\0")
            text = text[: text.rfind(b"\n") + 1]
            self._read += len(text)
            for line in text.decode(errors="replace").split("\n")[:-1]:
                fields = line.split("\t")
                # A file's name may have a tab or a line's end in it.
                name, path, first = fields if len(fields) == _FIELDS else (line, "", "")
                number = int(first) if first.isdecimal() else 0
                self._functions.append(PythonFunction(name, path, number))


class NumberedFunctions(PythonFunctions):
    """The functions of this process, which numbers them from now on.

    :param path: where their names shall be written; in a file of its own if there is none, which
        is deleted in the end.
    :raises RuntimeError: if this interpreter cannot do it.
    :raises OSError: if the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._owner = os.getpid() if path is None else None
        if path is None:
            descriptor, name = tempfile.mkstemp(prefix="pytest-valgrind-functions-")
            os.close(descriptor)
            path = Path(name)
        super().__init__(path)
        result = client.show_functions(os.fsencode(path))
        if result < 0:
            raise OSError(f"{path} cannot be written")
        if result == 0:
            raise RuntimeError("this interpreter does not let others evaluate its frames")

    def close(self) -> None:
        """Stop numbering them."""
        client.hide_functions()
        if self._owner == os.getpid():  # and not a fork
            with contextlib.suppress(OSError):
                self._path.unlink()
