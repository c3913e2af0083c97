"""The options of hunts for leaks, which are another plugin's where that has them."""

from __future__ import annotations

import importlib.util

import pytest

from pytest_valgrind.option_types import Choice, Number, Repetitions, WholeNumber
from pytest_valgrind.options import Option

HUNT = (
    Option(
        "leaks",
        ("-R", "--leaks"),
        "hunt",
        "Repeat each test, and fail it if something grows with each run: references, memory "
        "blocks, heap or mapped bytes, file descriptors or threads. A colon alone (-R :) repeats "
        "for as long as anything grows, 17 runs at least. With numbers, STAB runs settle, RUN runs "
        "are compared, and a test that leaks is listed and does not fail, as with pytest-leaks.",
        Repetitions(),
        metavar="STAB:RUN",
        has_ini=False,
        dest="leaks",
    ),
    Option(
        "leaks_stab",
        ("--leaks-stab",),
        "hunt",
        "Run each test so many times to let it settle: the same as -R N: with 5 where only RUN is "
        "given.",
        WholeNumber(0),
        metavar="N",
    ),
    Option(
        "leaks_run",
        ("--leaks-run",),
        "hunt",
        "Compare so many runs: the same as -R :N, with 4 where only STAB is given.",
        WholeNumber(1),
        metavar="N",
    ),
    Option(
        "leaks_repetitions",
        ("--leaks-repetitions",),
        "hunt",
        "Repeat a test at least so many times with -R : before it is clean. 1000 finds what leaks "
        "once in a hundred runs.",
        WholeNumber(1),
        metavar="N",
        default="15",
    ),
    Option(
        "leaks_seconds",
        ("--leaks-seconds",),
        "hunt",
        "Let -R : repeat a test in which something grows for about so many seconds of processor "
        "time: the longer, the larger are the caches that are told from leaks.",
        Number(),
        metavar="SECONDS",
        default="2",
    ),
    Option(
        "leaks_fail",
        ("--leaks-fail",),
        "hunt",
        "Fail a test that leaks with -R : (yes), or only list it (no).",
        Choice("yes", "no"),
        default="yes",
    ),
)

_FLAGS = frozenset(flag for option in HUNT for flag in option.flags)
#: By which pytest knows the plugin of pytest-leaks, and its module.
_PYTEST_LEAKS = ("leaks", "pytest_leaks")


def are_free(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> bool:
    """Whether no other plugin has, or is about to have, an option of this name."""
    name, module = _PYTEST_LEAKS
    if importlib.util.find_spec(module) and not pluginmanager.is_blocked(name):
        return False
    return are_untaken(parser)


def are_untaken(parser: pytest.Parser) -> bool:
    """Whether no other plugin has an option of this name so far."""
    from pytest_valgrind.pytest_internals import flags_of

    return _FLAGS.isdisjoint(flags_of(parser))


def withdraw(parser: pytest.Parser) -> None:
    """Let others have the names: a conftest may load a plugin that needs them.

    Between that and the end of the command line's reading they can be declared once more.
    """
    from pytest_valgrind.pytest_internals import withdraw_options

    withdraw_options(parser, _FLAGS)


def declare(parser: pytest.Parser) -> None:
    """Declare them."""
    from pytest_valgrind.option_table import GROUPS

    group = parser.getgroup(*GROUPS["hunt"])
    for option in HUNT:
        option.declare(parser, group)
