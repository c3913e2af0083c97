"""The table of options, and what is made from it."""

from __future__ import annotations

import re
import typing
from collections import Counter
from types import UnionType

import pytest
from conftest import HERE

from pytest_valgrind.findings.kind import LEAKS
from pytest_valgrind.option_table import OPTIONS, option_named, without_effect
from pytest_valgrind.option_types import LEAK_KINDS
from pytest_valgrind.options import Option
from pytest_valgrind.settings import Settings

each_option = pytest.mark.parametrize("option", OPTIONS, ids=[option.name for option in OPTIONS])


def test_fields_of_the_settings_are_the_table() -> None:
    """Each field has one option, and both stand in the same order."""
    assert [option.name for option in OPTIONS] == list(Settings._fields)


@each_option
def test_default_is_of_the_type_of_the_field(option: Option) -> None:
    """A table can be wrong where a type checker does not look."""
    declared = typing.get_type_hints(Settings)[option.name]
    among = typing.get_args(declared) if isinstance(declared, UnionType) else (declared,)
    types = tuple(typing.get_origin(one) or one for one in among)
    for is_native in (False, True):
        assert isinstance(option.setting_by_default(is_native=is_native), types)


def test_kinds_of_leak_that_can_be_named() -> None:
    """They are those that there are."""
    assert set(LEAK_KINDS) == {kind.name.lower() for kind in LEAKS}


@pytest.mark.parametrize("names", ["flags", "inis"])
def test_names_are_one_option_s(names: str) -> None:
    """No flag and no name in the ini file is used twice."""
    used = Counter(name for option in OPTIONS for name in getattr(option, names))
    assert set(used.values()) == {1}


@each_option
def test_names_follow_the_engine(option: Option) -> None:
    """What concerns both engines names neither, and can be given by the name that it had."""
    first, *older = option.flags
    if option.engine == "both":
        assert first.startswith("--memory-")
        assert older in ([], [first.replace("memory", "valgrind")])
    elif option.engine == "heapcheck":
        assert first.startswith("--heapcheck")


@each_option
def test_help_says_what_the_option_does(option: Option) -> None:
    """In sentences, and without sending the reader elsewhere."""
    assert option.text[0].isupper()
    assert option.text.endswith(".")
    assert not re.search(r"\bsee\b", option.text, re.IGNORECASE)


@each_option
def test_every_name_stands_in_the_documentation(option: Option) -> None:
    """That page is made by `make docs`."""
    page = (HERE.parent / "docs" / "options.md").read_text()
    for name in (option.usage, *option.flags[1:], *option.inis):
        assert f"`{name}`" in page
    assert " ".join(option.help.split()) in " ".join(page.split())


def test_names_that_argparse_has_for_those_of_0x() -> None:
    """They are what config.getoption takes, and so they stay."""
    names = ("valgrind", "log", "memcheck_before", "no_memcheck")
    dests = ["valgrind", "valgrind_log", "memcheck_before", "disable_memcheck"]
    assert [option_named(name).dest for name in names] == dests
    assert option_named("strict").dest == "valgrind_strict"


def test_options_that_wait_for_valgrind() -> None:
    """Each is named once, up to the end of the options."""
    given = ["--valgrind-log=x", "-k", "x", "--no-memcheck", "--valgrind-args", "--x"]
    given += ["--valgrind-args=--y", "--", "--valgrind-calibrate"]
    assert without_effect(given) == [
        "--valgrind-log, --no-memcheck, --valgrind-args: without effect, as --valgrind is missing"
    ]


def test_options_that_wait_for_an_engine() -> None:
    """They are named as they were given, and apart by what is missing."""
    given = ["--memory-strict", "--heapcheck-guards=full", "--valgrind-leak-check=exact"]
    assert without_effect(given) == [
        "--memory-strict, --valgrind-leak-check: without effect, as --valgrind is missing "
        "(or --heapcheck)",
        "--heapcheck-guards: without effect, as --heapcheck is missing",
    ]


def test_checks_wait_for_nothing() -> None:
    """They need no engine."""
    assert without_effect(["--resources=fds", "--resources-fail"]) == []


@pytest.mark.parametrize(
    ("engine", "ignored"),
    [
        ("heapcheck", ["--valgrind-args: without effect, as --valgrind is missing"]),
        ("valgrind", ["--heapcheck-guards: without effect, as --heapcheck is missing"]),
    ],
)
def test_options_of_the_other_engine(engine: str, ignored: list[str]) -> None:
    """An engine reads its own options, and those that both read."""
    given = ["--valgrind-args=--x", "--memory-strict", "--heapcheck-guards=on"]
    given += ["--memory-pinpoint", "--memory-trace-children"]
    assert without_effect(given, [engine]) == ignored


def test_engines_wait_for_nothing() -> None:
    """Nor do options of others, and arguments with a name like ours."""
    given = ["--valgrind", "--heapcheck", "--durations=3", "test_valgrind.py"]
    assert without_effect(given) == []
