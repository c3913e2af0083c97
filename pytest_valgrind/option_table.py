"""Every option, written once: those of the engines, and those of checks that need none.

The parser, the ini file, the settings and their defaults, what is sent to pytest-xdist's workers
and docs/options.md are made from this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import pytest

from pytest_valgrind.check_options import ANY
from pytest_valgrind.engine_options import BOTH, HEAPCHECK, MEMCHECK
from pytest_valgrind.options import Engine, Option

OPTIONS: tuple[Option, ...] = (*MEMCHECK, *HEAPCHECK, *BOTH, *ANY)

#: Of each group of options: its name for pytest and its title.
GROUPS: dict[Engine, tuple[str, str]] = {
    "memcheck": ("valgrind", "memory errors and leaks, found by valgrind"),
    "heapcheck": ("heapcheck", "lost memory and heap damage, found without valgrind"),
    "both": ("memory", "options of both --valgrind and --heapcheck"),
    "any": ("checks", "checks of each test, with and without these engines"),
}
_MISSING: dict[Engine, str] = {
    "memcheck": "--valgrind is missing",
    "heapcheck": "--heapcheck is missing",
    "both": "--valgrind is missing (or --heapcheck)",
}
#: The options that the others wait for.
_ENGINES = ("valgrind", "heapcheck")


def option_named(name: str) -> Option:
    """Return the option for a field of the settings."""
    return next(option for option in OPTIONS if option.name == name)


def add_options(parser: pytest.Parser) -> None:
    """Declare all options and their names in the ini file."""
    groups = {engine: parser.getgroup(*group) for engine, group in GROUPS.items()}
    for option in OPTIONS:
        option.declare(parser, groups[option.engine])


def without_effect(arguments: Iterable[str]) -> list[str]:
    """Return what is to be said of our options among arguments where no engine is asked for."""
    by_flag = {flag: option for option in OPTIONS for flag in option.flags}
    words = takewhile(lambda word: word != "--", map(str, arguments))
    waiting: dict[str, list[str]] = {}
    for flag in dict.fromkeys(word.partition("=")[0] for word in words):
        option = by_flag.get(flag)
        if option is not None and option.engine != "any" and option.name not in _ENGINES:
            waiting.setdefault(_MISSING[option.engine], []).append(flag)
    return [f"{', '.join(flags)}: without effect, as {why}" for why, flags in waiting.items()]
