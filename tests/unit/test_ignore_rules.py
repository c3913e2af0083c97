"""Rules for leaks that are not reported: how a line is read, and what it fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.ignore_rules import IgnoreRule, rule_for, rules_in
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.relevance import Scope
from pytest_valgrind.findings.results import Results
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.option_types import IgnoreRules
from pytest_valgrind.reporting.terminal import summary

OWN = Frame(1, "make_token", None, None, "/site/mypkg/token.so", Owner.EXTENSION)
LINE = Frame(0, "test_it", "test_it.py", 3, None, Owner.PYTHON)
TEST = "tests/test_it.py::test_it[a-#1]"


def leak(**types: int) -> Finding:
    """Return a lost block of these types."""
    return Finding(Kind.DEFINITE, "lost", (OWN, LINE), bytes=8, blocks=1, types=types)


def rule(line: str) -> IgnoreRule:
    """Return a rule."""
    return IgnoreRule.of(line)


@pytest.mark.parametrize(
    ("line", "what", "glob", "reason"),
    [
        ("type: dict", "type", "dict", ""),
        ("  function:PyInit_*  ", "function", "PyInit_*", ""),
        ("object: */x.so*  # by design", "object", "*/x.so*", "by design"),
        (f"test: {TEST}", "test", TEST, ""),
    ],
)
def test_line(line: str, what: str, glob: str, reason: str) -> None:
    assert rule(line) == IgnoreRule(what, glob, reason)


@pytest.mark.parametrize("line", ["type", "type:", "typ: dict", "dict", ": dict", "type:  # none"])
def test_line_that_is_no_rule(line: str) -> None:
    with pytest.raises(ValueError, match="is no rule: a rule is one of 'type: GLOB', 'function"):
        rule(line)


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("type: Token", True),
        ("type: To*", True),
        ("type: Other", False),
        ("function: make_*", True),
        ("function: make", False),
        ("function: test_it", False),  # which is a function of Python
        ("object: token.so", True),
        ("object: mypkg/*.so", True),
        ("object: /site/*", True),
        ("object: other.so", False),
        (f"test: {TEST}", True),
        ("test: tests/*", True),
        ("test: tests/test_other.py::*", False),
    ],
)
def test_what_a_rule_fits(line: str, fits: bool) -> None:
    assert rule(line).fits(leak(Token=2), TEST) is fits


def test_every_type_has_to_fit() -> None:
    found = leak(Token=1, dict=1)
    assert not rule("type: Token").fits(found, TEST)
    assert rule("type: *").fits(found, TEST)


def test_what_is_no_object_has_no_type() -> None:
    assert not rule("type: *").fits(leak(), TEST)


def test_brackets_are_no_globs() -> None:
    found = Finding(Kind.DEFINITE, "lost", types={"numpy.dtype[void]": 1})
    assert rule("type: numpy.dtype[void]").fits(found, "")
    assert not rule("type: numpy.dtype[v]").fits(found, "")


def test_what_is_of_no_test_fits_no_test() -> None:
    assert not rule("test: *").fits(leak(), "")


def test_damage_is_always_reported() -> None:
    found = Finding(Kind.OVERFLOW, "an overflow", (OWN,))
    assert rule_for([rule("function: *")], found, TEST) is None


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("# all of them\n\ntype: dict\n test: *  # slow\n")
    assert list(rules_in(path)) == [
        IgnoreRule("type", "dict", "", f"{path}:3"),
        IgnoreRule("test", "*", "slow", f"{path}:4"),
    ]


def test_value_is_a_rule_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("type: dict\ntype: list\n")
    read = IgnoreRules().read_several
    assert [str(found) for found in read("rules", tmp_path)] == ["type: dict", "type: list"]
    assert [str(found) for found in read("type: set", tmp_path)] == ["type: set"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nowhere", ": 'nowhere' is no rule, and there is no file "),
        ("type:", ": 'type:' is no rule: a rule is one of "),
        ("wrong", ": .*/wrong:2: 'tipe: dict' is no rule: a rule is one of "),
    ],
)
def test_value_that_is_neither(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "wrong").write_text("type: list\ntipe: dict\n")
    with pytest.raises(ValueError, match=words):
        IgnoreRules().read_several(text, tmp_path)


def test_rules_travel_to_workers() -> None:
    rules = (rule("type: dict  # by design"), IgnoreRule("test", "*", "", "rules:3"))
    type_ = IgnoreRules()
    assert type_.decode(type_.encode(rules)) == rules


def test_ignored_leaks_are_counted_and_unused_rules_listed() -> None:
    used, unused = rule("type: Token"), IgnoreRule("type", "dict", "", "rules:3")
    results = Results()
    results.tests = results.completed = 1
    own = results.sorted_out([leak(Token=1), leak(list=1)], Scope(ignore=(used, unused)), TEST)
    assert [finding.types for finding in own] == [{"list": 1}]
    lines = list(summary(results, [used, unused]))
    assert "ignored by rules: 1 leak (8 bytes in 1 block)" in lines
    assert "rules:3: unused rule of --heapcheck-ignore: type: dict" in lines
    assert not any("unused" in line and "Token" in line for line in lines)
    assert not results.fails
