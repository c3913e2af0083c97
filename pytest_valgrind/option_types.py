"""Types of values that options take: how text becomes a value, and how a value travels."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_valgrind.findings.ignore_rules import IgnoreRule
    from pytest_valgrind.findings.kind import Kind

#: How pytest reads a value of the ini file (``Parser.addini``).
IniType = Literal["string", "bool", "args", "paths", "linelist"]

#: Names of the kinds of leak, as valgrind has them (``--show-leak-kinds``).
LEAK_KINDS = ("definite", "indirect", "possible", "reachable")
#: Names of what a test may leave behind.
RESOURCE_KINDS = (
    *("fds", "maps", "threads", "native_threads"),
    *("children", "tempfiles", "garbage"),
)


class ValueType:
    """Any text."""

    ini: IniType = "string"
    #: The only values, if there are few.
    choices: tuple[str, ...] = ()
    #: Whether the option may be given several times; the setting is a tuple.
    repeats = False
    #: Whether a relative path in the ini file starts from that file.
    in_folder_of_ini = False
    #: What the option means where it stands alone in the command line; empty if it needs a value.
    alone = ""

    def split(self, text: str) -> list[str]:
        """Return the values in a text of the command line; pytest splits those of the ini file.

        :raises ValueError: with the rest of a sentence that begins with the option's name.
        """
        return [text]

    def read(self, text: str, directory: Path) -> Any:
        """Return the value for a text.

        :param directory: from which relative paths start.
        :raises ValueError: with the rest of a sentence that begins with the option's name.
        """
        del directory
        return text

    def read_several(self, text: str, directory: Path) -> tuple[Any, ...]:
        """Return the values for a text of an option that repeats.

        :raises ValueError: as :meth:`read` does.
        """
        return (self.read(text, directory),)

    def encode(self, setting: Any) -> Any:
        """Return what JSON can hold in the place of a setting."""
        return setting

    def decode(self, encoded: Any) -> Any:
        """Return the setting again."""
        return encoded


class Switch(ValueType):
    """On or off."""

    ini = "bool"


class Choice(ValueType):
    """One of a few texts."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def read(self, text: str, directory: Path) -> str:
        """Return the text."""
        del directory
        # argparse looks at the command line; this is for the ini file.
        if text not in self.choices:
            raise ValueError(f" is {' or '.join(self.choices)}, not {text!r}")
        return text


class Number(ValueType):
    """A finite number above 0.

    :param may_be_zero: whether 0 is one as well.
    """

    def __init__(self, *, may_be_zero: bool = False) -> None:
        self._may_be_zero = may_be_zero

    def read(self, text: str, directory: Path) -> float:
        """Return the number."""
        del directory
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (0 < number < math.inf or (self._may_be_zero and number == 0)):
            least = "of 0 or more" if self._may_be_zero else "above 0"
            raise ValueError(f" takes a number {least}, not {text!r}")
        return number


class WholeNumber(ValueType):
    """A whole number.

    :param least: the smallest.
    """

    def __init__(self, least: int) -> None:
        self._least = least

    def read(self, text: str, directory: Path) -> int:
        """Return the number."""
        del directory
        if not re.fullmatch(r"\d+", text) or int(text) < self._least:
            raise ValueError(f" takes a whole number of {self._least} or more, not {text!r}")
        return int(text)


class Repetitions(ValueType):
    """How often to repeat a test: two whole numbers, of which either may be left out."""

    def read(self, text: str, directory: Path) -> tuple[int | None, int | None]:
        """Return them."""
        del directory
        match = re.fullmatch(r"(\d*):(\d*)", text)
        if match is None or match[2].strip("0") == "" != match[2]:
            raise ValueError(f" takes STAB:RUN, such as 5:4, or a colon alone, not {text!r}")
        stab, run = (int(number) if number else None for number in match.groups())
        return stab, run

    def decode(self, encoded: Any) -> tuple[int | None, int | None] | None:
        """Return them again."""
        return None if encoded is None else tuple(encoded)


class Texts(ValueType):
    """Any number of texts."""

    ini = "args"
    repeats = True

    def decode(self, encoded: Iterable[str]) -> tuple[str, ...]:
        """Return them again."""
        return tuple(encoded)


class Words(Texts):
    """Any number of words, of which one text holds several, as a line of a shell does."""

    def split(self, text: str) -> list[str]:
        """Return them."""
        try:
            return shlex.split(text)
        except ValueError as error:
            raise ValueError(f": {error}") from None


class Names(ValueType):
    """Some of a few names, with commas or spaces between them; ``all`` stands for all of them."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def read(self, text: str, directory: Path) -> tuple[str, ...]:
        """Return them, in the order of the few."""
        del directory
        given = text.replace(",", " ").split()
        if unknown := [name for name in given if name not in (*self._names, "all")]:
            raise ValueError(f" takes some of {', '.join(self._names)}, or all, not {unknown[0]!r}")
        return tuple(name for name in self._names if name in given or "all" in given)

    def decode(self, encoded: Iterable[str] | None) -> tuple[str, ...] | None:
        """Return them again."""
        return None if encoded is None else tuple(encoded)


class Size(ValueType):
    """A number of bytes, such as ``24 MB``."""

    def read(self, text: str, directory: Path) -> float:
        """Return it."""
        del directory
        # Here, as every run of pytest imports this module.
        from pytest_valgrind.memory_size import parse_size

        try:
            return parse_size(text)
        except ValueError:
            raise ValueError(f" takes a size such as 24 MB or 512 KB, not {text!r}") from None


class LeakKinds(ValueType):
    """Some kinds of leak, with commas between them."""

    def read(self, text: str, directory: Path) -> frozenset[Kind]:
        """Return them."""
        del directory
        names = [name.strip() for name in text.split(",")]
        unknown = [name for name in names if name not in LEAK_KINDS]
        if unknown:
            raise ValueError(f" takes some of {', '.join(LEAK_KINDS)}, not {unknown[0]!r}")
        return self.decode(names)

    def encode(self, setting: Iterable[Kind]) -> list[str]:
        """Return their names."""
        return sorted(kind.name.lower() for kind in setting)

    def decode(self, encoded: Iterable[str]) -> frozenset[Kind]:
        """Return them again."""
        # Here, as every run of pytest imports this module, and that one takes 1 ms.
        from pytest_valgrind.findings.kind import Kind

        return frozenset(Kind[name.upper()] for name in encoded)


class IgnoreRules(ValueType):
    """Any number of rules for leaks that are not reported, or files of such rules."""

    ini = "linelist"
    repeats = True

    def read_several(self, text: str, directory: Path) -> tuple[IgnoreRule, ...]:
        """Return the rule, or those of the file."""
        # Here, as every run of pytest imports this module.
        from pytest_valgrind.findings.ignore_rules import IgnoreRule, is_rule, rules_in

        path = directory / text
        try:
            if is_rule(text):
                return (IgnoreRule.of(text),)
            return tuple(rules_in(path))
        except FileNotFoundError:
            raise ValueError(f": {text!r} is no rule, and there is no file {path}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f": {error}") from None

    def encode(self, setting: Iterable[IgnoreRule]) -> list[list[str]]:
        """Return the fields of each."""
        return [list(rule) for rule in setting]

    def decode(self, encoded: Iterable[Iterable[str]]) -> tuple[IgnoreRule, ...]:
        """Return them again."""
        from pytest_valgrind.findings.ignore_rules import IgnoreRule

        return tuple(IgnoreRule(*fields) for fields in encoded)
