"""What an option is: how it is declared, and how its setting is read.

Which options there are stands in ``option_table.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pytest

from pytest_valgrind.option_types import Switch, ValueType

#: Which engine reads an option; what concerns ``any`` run needs none of the two, and what concerns
#: a ``hunt`` waits for ``-R``.
Engine = Literal["memcheck", "heapcheck", "both", "any", "hunt"]

SWITCH = Switch()


class Option:
    """An option of the command line, and the value of the same name in the ini file.

    Of what repeats, the values of both count; of anything else, the command line's.

    :param name: the field of the settings.
    :param flags: the first is shown. The others are older names, which hold for ever.
    :param text: what it does, in whole sentences.
    :param default: the value where none is given, as a user would write it; there may be none.
    :param native_default: the same where tests run natively, with ``--heapcheck`` alone, if it is
        another.
    :param negates: whether the setting is what the switch denies.
    :param dest: argparse's name, by which ``config.getoption`` finds it, if it is not made from the
        oldest flag that is ours.
    :param rival: a package whose plugin has the older flags as well: where it is installed, they
        are its own.
    """

    # No NamedTuple: each run of every user of pytest makes this class, and that would take 0.4 ms.
    def __init__(  # noqa: PLR0913
        self,
        name: str,
        flags: tuple[str, ...],
        engine: Engine,
        text: str,
        type: ValueType = SWITCH,
        *,
        metavar: str = "",
        default: str = "",
        native_default: str = "",
        has_ini: bool = True,
        negates: bool = False,
        dest: str = "",
        rival: str = "",
    ) -> None:
        self.name = name
        self.flags = flags
        self.engine = engine
        self.text = text
        self.type = type
        self.metavar = metavar
        self.default = default
        self.native_default = native_default
        self.negates = negates
        #: Those that are declared.
        self._own = flags[:1] if rival and find_spec(rival) else flags
        self.dest = dest or _underscored(self._own[-1])
        #: Its names in the ini file, the first of which is shown.
        self.inis = tuple(map(_underscored, flags)) if has_ini else ()

    @property
    def usage(self) -> str:
        """The flag, and what stands for a value."""
        choices = f"{{{','.join(self.type.choices)}}}" if self.type.choices else ""
        value = self.metavar or choices
        flag = self.shown[-1]
        if self.type.alone:
            return f"{flag}[={value}]"
        return f"{flag}={value}" if value else flag

    @property
    def help(self) -> str:
        """What it does, whether it repeats, and what holds where it is not given."""
        text = self.text
        if self.type.repeats:
            text += " Can be given several times."
        if self.native_default:
            text += f" Default: {self.default}; with --heapcheck alone {self.native_default}."
        elif self.default:
            text += f" Default: {self.default}."
        return text

    def declare(self, parser: pytest.Parser, group: pytest.OptionGroup) -> None:
        """Have pytest know its flags, and its names in the ini file."""
        attributes: dict[str, Any] = {"dest": self.dest}
        if self.is_switch:
            attributes["action"] = "store_true"
        elif self.type.repeats:
            attributes |= {"action": "append", "metavar": self.metavar, "default": []}
        elif self.type.choices:
            attributes["choices"] = self.type.choices
        else:
            attributes["metavar"] = self.metavar
        if self.type.alone:
            attributes |= {"nargs": "?", "const": self.type.alone}
        shown = self.shown
        group.addoption(*shown, **attributes, help=self.help)
        for flag in self._own[len(shown) :]:
            # Apart, as argparse would show both.
            group.addoption(flag, **attributes, help=argparse.SUPPRESS)
        for ini in self.inis:
            words = self.help if ini == self.inis[0] else f"The same as {self.inis[0]}."
            parser.addini(ini, words, type=self.type.ini, default=None)

    @property
    def shown(self) -> tuple[str, ...]:
        """The flags that stand in the help: the first, and another if that has one letter only."""
        return self.flags[: 1 if self.flags[0].startswith("--") else 2]

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value on the command line."""
        return isinstance(self.type, Switch)

    def value(
        self, config: pytest.Config, given: argparse.Namespace, *, is_native: bool = False
    ) -> Any:
        """Return the setting.

        :param given: the command line; early on, ``config.option`` does not hold it yet.
        :param is_native: whether tests run with ``--heapcheck`` alone.
        :raises pytest.UsageError: if a value makes no sense.
        """
        on_line = getattr(given, self.dest)
        ini, in_ini = self._in_ini(config)
        if self.is_switch:
            return bool(on_line or in_ini) != self.negates
        directory = config.invocation_params.dir
        flag = self._flag_on(config.invocation_params.args)
        of_ini = config.inipath.parent if config.inipath else directory
        if self.type.repeats:
            texts = [text for line in on_line for text in _valid(flag, self.type.split, line)]
            values = [_valid(ini, self.type.read_several, text, of_ini) for text in in_ini or ()]
            values += [_valid(flag, self.type.read_several, text, directory) for text in texts]
            return tuple(value for several in values for value in several)
        if on_line is not None:
            return _valid(flag, self.type.read, on_line, directory)
        if in_ini is not None:
            return _valid(
                ini, self.type.read, in_ini, of_ini if self.type.in_folder_of_ini else directory
            )
        return self.setting_by_default(is_native=is_native)

    def setting_by_default(self, *, is_native: bool = False) -> Any:
        """Return the setting where neither command line nor ini file has a value."""
        if self.is_switch:
            return self.negates
        if self.type.repeats:
            return ()
        text = (is_native and self.native_default) or self.default
        return self.type.read(text, Path()) if text else None

    def _in_ini(self, config: pytest.Config) -> tuple[str, Any]:
        """Return its name and its value in the ini file, where empty is as good as nothing."""
        try:
            values = {ini: config.getini(ini) for ini in self.inis}
        except (TypeError, ValueError, pytest.UsageError) as error:
            # It is no truth value, or of another type in a TOML file; pytest may not say where.
            raise pytest.UsageError(f"{' or '.join(self.inis)} in the ini file: {error}.") from None
        found = [(ini, value) for ini, value in values.items() if value not in (None, "")]
        if not found:
            return "", None
        (first, value), *others = found
        for other, its_value in others:
            if its_value != value:
                raise pytest.UsageError(
                    f"{first} and {other} in the ini file are two names of one value, and differ: "
                    "leave one out."
                )
        return first, value

    def _flag_on(self, arguments: tuple[str, ...]) -> str:
        """Return the flag that the user wrote, as far as it does not come from elsewhere."""
        written = {str(word).partition("=")[0] for word in arguments}
        return next((flag for flag in self.flags if flag in written), self.shown[-1])


def _valid(name: str, read: Callable[..., Any], *arguments: object) -> Any:
    """Return what is read, and have a mistake begin with the name that the user wrote."""
    try:
        return read(*arguments)
    except ValueError as error:
        raise pytest.UsageError(f"{name}{error}.") from None


def _underscored(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
