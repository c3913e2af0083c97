"""The options of hunts for leaks, which are another plugin's where that has them."""

from __future__ import annotations

import argparse
import importlib.util

import pytest

from pytest_valgrind.option_types import Choice, Number, Repetitions, WholeNumber
from pytest_valgrind.options import Option

OPTIONS_OF_HUNTS: tuple[Option, ...] = (
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
        default="10",
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

# Where argparse puts -R if nothing is done about it.
_DECLINED = "leaks_declined"
_ARE_OURS = pytest.StashKey[bool]()
_FLAGS = frozenset(flag for option in OPTIONS_OF_HUNTS for flag in option.flags)
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


def decline(parser: pytest.Parser) -> None:
    """Take ``-R`` if it is left, so that a line can say why it does nothing."""
    from pytest_valgrind.pytest_internals import flags_of

    if "-R" not in flags_of(parser):
        parser.getgroup("leaks").addoption("-R", dest=_DECLINED, help=argparse.SUPPRESS)


def note_owner(config: pytest.Config, *, are_ours: bool) -> None:
    """Take note whether the options are those of this plugin."""
    config.stash[_ARE_OURS] = are_ours


def are_ours(config: pytest.Config, given: argparse.Namespace) -> bool:
    """Whether the options are those of this plugin.

    :param given: the command line.
    """
    return hasattr(given, "leaks_repetitions") and config.stash.get(_ARE_OURS, True)


def why_not(config: pytest.Config) -> str | None:
    """Return why the user's ``-R`` or ``--leaks`` is none of this plugin, None if it is."""
    if are_ours(config, config.option) or not any(
        getattr(config.option, dest, None) for dest in ("leaks", _DECLINED)
    ):
        return None
    return (
        "leaks: another plugin has the option -R or --leaks, so pytest-valgrind leaves it alone "
        "and repeats no test"
    )
