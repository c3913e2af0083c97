"""Stacks of frames, in C and in Python: plain values."""

from __future__ import annotations

from enum import Enum
from pathlib import PurePath
from typing import NamedTuple

#: Characters, in what shall fit into a line.
_LONGEST_NAME = 80


class Owner(Enum):
    """Whose code a stack frame is."""

    EXTENSION = "extension"
    #: The interpreter and its standard library's modules.
    INTERPRETER = "interpreter"
    #: The C library and the loader.
    LIBC = "libc"
    #: What valgrind puts in the place of malloc and others.
    VALGRIND = "valgrind"
    #: Other system libraries.
    LIBRARY = "library"
    #: This plugin's own frames around a test.
    CHECKER = "checker"
    #: A Python function.
    PYTHON = "Python"
    #: Code made at run time, as by a just-in-time compiler.
    GENERATED = "generated"
    #: No code: the stack could not be unwound.
    UNKNOWN = "unknown"

    @property
    def is_of_interpreter(self) -> bool:
        """Whether it is the interpreter's, or what every process has."""
        return self in _INTERPRETERS_OWN


_INTERPRETERS_OWN = frozenset(
    {Owner.INTERPRETER, Owner.LIBC, Owner.VALGRIND, Owner.CHECKER, Owner.PYTHON}
)


class Frame(NamedTuple):
    """A stack frame."""

    address: int
    function: str  #: ``???`` where there is no symbol
    file: str | None = None  #: None without debug information
    line: int | None = None  #: a Python function has none
    object: str | None = None  #: path of the object file
    owner: Owner = Owner.UNKNOWN
    path: str | None = None  #: of the file, if valgrind has said it

    @property
    def place(self) -> str:
        """``file:line`` where known, else the object file's name without its directory."""
        if self.file:
            return f"{self.file}:{self.line}" if self.line else self.file
        return f"in {PurePath(self.object).name}" if self.object else "???"

    @property
    def identity(self) -> str:
        """What tells it from others: as its words, with whole paths, as names are not unique."""
        if self.file:
            return f"{self.function} ({self.path or self.file}:{self.line})"
        return f"{self.function} (in {self.object})"

    @property
    def in_short(self) -> str:
        """Its words with a name that leaves room for the place: C++ has some of many lines."""
        name = self.function
        shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
        return f"{shown} ({self.place})"

    def __str__(self) -> str:
        return f"{self.function} ({self.place})"


Stack = tuple[Frame, ...]


class PythonLine(NamedTuple):
    """A Python line that ran, or the first line of a Python function that did."""

    file: str
    line: int  #: 0 if it is not known
    function: str

    @property
    def place(self) -> str:
        """``file:line``, as far as known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @classmethod
    def of_test(cls, location: tuple[str, int | None, str]) -> PythonLine:
        """Return the function of a test, by what pytest says of where it is (``item.location``)."""
        path, line, name = location
        return cls(path, 0 if line is None else line + 1, name)

    def __str__(self) -> str:
        return f"{self.place} in {self.function}"


class Caller(NamedTuple):
    """The Python function, fixture or module below which a C stack ends."""

    line: PythonLine
    #: Whether all that is known is the test: it may be its function, or some fixture's.
    is_test: bool = False

    def __str__(self) -> str:
        return f"{'in' if self.is_test else 'py'} {self.line.function} ({self.line.place})"


class Origin(NamedTuple):
    """What the bottom of a stack says about the test that was running."""

    number: int | None  #: of the test, modulo ``client.NUMBERS``; None between two tests
    in_thread: bool = False  #: one that the test started


class Further(NamedTuple):
    """A further stack of an error: where its block was allocated, for example, or freed."""

    caption: str
    stack: Stack
    #: None if the stack does not reach down to the test's number.
    origin: Origin | None = None
    caller: Caller | None = None
