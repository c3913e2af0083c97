"""Errors that valgrind counts and does not show again."""

from __future__ import annotations

from dataclasses import replace

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.memcheck.error_contexts import Contexts


def error(function: str, owner: Owner = Owner.EXTENSION, count: int = 1) -> Finding:
    """Return an error in a function."""
    stack = (Frame(1, function, owner=owner),)
    return Finding(Kind.UNINITIALISED, "Use of uninitialised value", stack, count=count)


class Valgrind:
    """What valgrind answers."""

    def __init__(self) -> None:
        self.contexts: list[Finding] = []
        self.last: list[Finding] = []

    def book(self) -> Contexts:
        """Return what is tested."""
        return Contexts(lambda: self.contexts, lambda: self.last)


def summary(found: list[Finding]) -> list[tuple[str, int, str]]:
    """Return function, count and the test that showed it."""
    return [(f.stack[0].function if f.stack else "", f.count, f.shown_in) for f in found]


def test_error_that_is_shown() -> None:
    """Valgrind is not asked."""

    def never() -> list[Finding]:
        raise AssertionError

    assert summary(Contexts(never, never).occurred(1, [error("f")], "a")) == [("f", 1, "")]


def test_repeated_error_is_found_by_its_count() -> None:
    """The test that showed it first is named."""
    valgrind = Valgrind()
    book = valgrind.book()
    book.occurred(1, [error("f")], "a")
    valgrind.contexts = [error("f", count=3)]
    assert summary(book.occurred(2, [], "b")) == [("f", 2, "a")]


def test_only_contexts_that_grew_are_found() -> None:
    """The others belong to earlier tests."""
    valgrind = Valgrind()
    book = valgrind.book()
    book.occurred(2, [error("f"), error("g")], "a")
    valgrind.contexts = [error("f", count=1), error("g", count=2)]
    assert summary(book.occurred(1, [], "b")) == [("g", 1, "a")]
    valgrind.contexts = [error("f", count=2), error("g", count=2)]
    assert summary(book.occurred(1, [], "c")) == [("f", 1, "a")]


def test_new_error_that_repeats_at_once() -> None:
    """It was shown once, and counted often."""
    valgrind = Valgrind()
    book = valgrind.book()
    valgrind.contexts = [error("f", count=5)]
    assert summary(book.occurred(5, [error("f")], "a")) == [("f", 5, "")]


def test_errors_before_the_first_test_are_not_its_own() -> None:
    """They are taken as known."""
    valgrind = Valgrind()
    valgrind.contexts = [error("f", count=7)]
    book = valgrind.book()
    book.catch_up([])
    valgrind.contexts = [error("f", count=8)]
    assert summary(book.occurred(1, [], "a")) == [("f", 1, "")]


def test_last_error_where_contexts_are_not_listed() -> None:
    """Valgrind 3.19 without -s lists none."""
    valgrind = Valgrind()
    book = valgrind.book()
    book.occurred(1, [error("f")], "a")
    valgrind.last = [error("f")]
    assert summary(book.occurred(1, [], "b")) == [("f", 1, "a")]


def test_rest_that_nobody_can_name_is_reported_all_the_same() -> None:
    """The finding says what is known about it."""
    valgrind = Valgrind()
    book = valgrind.book()
    book.occurred(2, [error("f"), error("g")], "a")
    valgrind.last = [error("f")]
    named, unnamed = book.occurred(3, [], "b")
    assert (named.stack[0].function, named.count) == ("f", 1)
    assert (unnamed.kind, unnamed.count) == (Kind.UNSHOWN, 2)
    assert "shown in a" in unnamed.message
    assert "-s" in unnamed.message


def test_rest_is_noise_where_all_that_was_shown_is_noise() -> None:
    """It may be any of what was shown."""
    valgrind = Valgrind()
    book = valgrind.book()
    noise = error("f", Owner.INTERPRETER)
    book.catch_up([noise, replace(noise, message="Use of another")])
    assert all(found.is_interpreter_noise for found in book.occurred(3, [], "a"))
