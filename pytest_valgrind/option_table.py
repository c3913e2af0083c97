"""Every option, written once.

The parser, the ini file, the settings and their defaults, what is sent to pytest-xdist's workers
and docs/options.md are made from this table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import takewhile

import pytest

from pytest_valgrind.option_types import (
    Choice,
    IgnoreRules,
    Number,
    Texts,
)
from pytest_valgrind.options import Engine, Option
from pytest_valgrind.options_of_checks import OPTIONS_OF_CHECKS
from pytest_valgrind.options_of_hunts import OPTIONS_OF_HUNTS, are_untaken, decline, note_owner
from pytest_valgrind.options_of_memcheck import OPTIONS_OF_MEMCHECK
from pytest_valgrind.options_of_reports import OPTIONS_OF_REPORTS

_HEAPCHECK = (
    Option(
        "heapcheck",
        ("--heapcheck",),
        "heapcheck",
        "Find the memory and the references that each test loses, and damage to the heap, without "
        "valgrind, natively.",
    ),
    Option(
        "guards",
        ("--heapcheck-guards",),
        "heapcheck",
        "Find writes past the end of a block and writes after free: with little effort (on), "
        "looking at every byte (full), or not at all (off).",
        Choice("full", "on", "off"),
        default="on",
    ),
    Option(
        "stacks_seconds",
        ("--heapcheck-stacks-seconds",),
        "heapcheck",
        "Run tests that lost memory once more, in forked processes and for no longer than this in "
        "total, to show the stacks of what they lost. 0 leaves it out.",
        Number(may_be_zero=True),
        metavar="SECONDS",
        default="30",
    ),
    Option(
        "ignore",
        ("--heapcheck-ignore",),
        "heapcheck",
        "Count leaks that fit a rule, and do not report them: by the type of the object, by the C "
        "function or object file that allocated it, or by the test, for example "
        "--heapcheck-ignore='type: mypkg.Token'. RULE may also be the name of a file with a rule "
        "in each line. In the ini file each line is a rule or the name of a file.",
        IgnoreRules(),
        metavar="RULE",
    ),
)

_BOTH = (
    Option(
        "leak_check",
        ("--memory-leak-check", "--valgrind-leak-check"),
        "both",
        "Check for leaks once for a group of tests, and find out which of them it was (group), "
        "after every test (exact), or never (off).",
        Choice("group", "exact", "off"),
        default="group",
    ),
    Option(
        "exact_rerun",
        ("--memory-exact-rerun", "--valgrind-exact-rerun"),
        "both",
        "If it is not known which test of a group has lost some memory, run these tests again at "
        "the end, with a check after each.",
    ),
    Option(
        "references",
        ("--memory-no-references", "--valgrind-no-references"),
        "both",
        "Do not look for lost references to lists, dicts, instances and other objects that the "
        "garbage collector knows.",
        negates=True,
    ),
    Option(
        "freeze",
        ("--memory-no-freeze", "--valgrind-no-freeze"),
        "both",
        "Do not call gc.freeze after each test, which makes garbage collections fast: for suites "
        "that look at the collector's own state.",
        negates=True,
    ),
    Option(
        "only",
        ("--memory-only", "--valgrind-only"),
        "both",
        "Fail a test only for errors and leaks with a frame in an object or source file that fits, "
        "for example --memory-only='mypkg/*.so'. The rest is listed.",
        Texts(),
        metavar="GLOB",
    ),
    Option(
        "failures",
        ("--memory-failures", "--valgrind-failures"),
        "both",
        "Report an ordinary failure, where no error and no leak was found, as an expected failure "
        "(xfail) or as the failure that it is (report).",
        Choice("xfail", "report"),
        default="xfail",
        native_default="report",
    ),
    Option(
        "strict",
        ("--memory-strict", "--valgrind-strict"),
        "both",
        "Fail a test that is marked with a known error or leak that did not occur.",
    ),
    Option(
        "pinpoint",
        ("--memory-pinpoint", "--valgrind-pinpoint"),
        "both",
        "Run each test in which something was found once more, in a forked process, and say which "
        "line of Python raised the error or lost the memory. What tests do to the world outside, "
        "to files and ports, they do again.",
    ),
    Option(
        "show_log",
        ("--memory-show-log", "--valgrind-show-log"),
        "both",
        "Show with each failure what valgrind's log says of it, as -v does. Without this option it "
        "is in JUnit XML only.",
    ),
    Option(
        "resume",
        ("--memory-resume", "--valgrind-resume"),
        "both",
        "When the process that runs the tests dies in a test, go on after that test in a new one, "
        "and run the tests again that were not checked for leaks yet (with pytest-xdist's -n this "
        "is always so).",
    ),
    Option(
        "trace_children",
        ("--memory-trace-children", "--valgrind-trace-children"),
        "both",
        "Check the processes that a test starts and forks as well: what is found in them fails the "
        "test. Under valgrind each takes as long to start as the tests' own.",
    ),
    Option(
        "timeout",
        ("--memory-timeout", "--valgrind-timeout"),
        "both",
        "Fail a test that takes longer, with the stacks of Python and of C of where it hangs.",
        Number(),
        metavar="SECONDS",
    ),
    Option(
        "timeout_factor",
        ("--memory-timeout-factor", "--valgrind-timeout-factor"),
        "both",
        "Multiply the timeouts of pytest-timeout by N, as everything takes longer while memory is "
        "checked.",
        Number(),
        metavar="N",
        default="20",
        native_default="2",
    ),
)

OPTIONS: tuple[Option, ...] = (
    *OPTIONS_OF_MEMCHECK,
    *_HEAPCHECK,
    *_BOTH,
    *OPTIONS_OF_CHECKS,
    *OPTIONS_OF_REPORTS,
    *OPTIONS_OF_HUNTS,
)

#: Of each group of options: its name for pytest and its title.
GROUPS: dict[Engine, tuple[str, str]] = {
    "memcheck": ("valgrind", "memory errors and leaks, found by valgrind"),
    "heapcheck": ("heapcheck", "lost memory and heap damage, found without valgrind"),
    "both": ("memory", "options of both --valgrind and --heapcheck"),
    "any": ("checks", "checks of each test, with and without these engines"),
    "hunt": ("leaks", "leaks that show when a test is repeated"),
}
_MISSING: dict[Engine, str] = {
    "memcheck": "--valgrind is missing",
    "heapcheck": "--heapcheck is missing",
    "both": "--valgrind is missing (or --heapcheck)",
    "hunt": "-R is missing",
}
#: The options for which the others wait.
_READERS: dict[Engine, tuple[str, ...]] = {
    "memcheck": ("valgrind",),
    "heapcheck": ("heapcheck",),
    "both": ("valgrind", "heapcheck"),
    "hunt": ("leaks",),
}


def option_named(name: str) -> Option:
    """Return the option for a field of the settings."""
    return next(option for option in OPTIONS if option.name == name)


def add_options(parser: pytest.Parser, *, hunts: bool = True) -> None:
    """Declare all options and their names in the ini file.

    :param hunts: whether those of hunts are not another plugin's.
    """
    groups = {engine: parser.getgroup(*group) for engine, group in GROUPS.items()}
    for option in OPTIONS:
        if hunts or option.engine != "hunt":
            option.declare(parser, groups[option.engine])


def declare_hunts(config: pytest.Config, parser: pytest.Parser) -> None:
    """Declare those of hunts once more, unless another plugin has taken the names meanwhile."""
    are_ours = are_untaken(parser)
    note_owner(config, are_ours=are_ours)
    if not are_ours:
        decline(parser)
        return
    group = parser.getgroup(*GROUPS["hunt"])
    for option in OPTIONS_OF_HUNTS:
        option.declare(parser, group)


def without_effect(arguments: Iterable[str], engines: Collection[str] = ()) -> list[str]:
    """Return what is to be said of our options among arguments that no engine reads.

    :param engines: those that are asked for, by the names of their options.
    """
    by_flag = {flag: option for option in OPTIONS for flag in option.flags}
    words = list(takewhile(lambda word: word != "--", map(str, arguments)))
    hunts = any(word.startswith(("-R", "--leaks=")) or word == "--leaks" for word in words)
    waiting: dict[str, list[str]] = {}
    for flag in dict.fromkeys(word.partition("=")[0] for word in words):
        option = by_flag.get(flag)
        if option is None or option.name in (*_READERS["both"], "leaks") or option.engine == "any":
            continue
        if hunts and (option.engine == "hunt" or option.name == "freeze"):
            continue
        if set(engines).isdisjoint(_READERS[option.engine]):
            waiting.setdefault(_MISSING[option.engine], []).append(flag)
    return [f"{', '.join(flags)}: without effect, as {why}" for why, flags in waiting.items()]
