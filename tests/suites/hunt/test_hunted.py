"""What leaks with each run, what only looks like it, and what pytest does around a test."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import os
import random
import re
import sys
import threading
import unittest
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import defective
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

kept: list[object] = []
runs: dict[str, int] = {}
setups: list[str] = []


class Token:
    """One that is there all the time."""


token = Token()
unbounded = functools.lru_cache(None)(lambda number: [number])
bounded = functools.lru_cache(64)(lambda number: [number])
numbers = itertools.count()
chance = random.Random(1)
release = threading.Event()


def run_of(name: str) -> int:
    """Return how often it has been called with this name."""
    runs[name] = runs.get(name, 0) + 1
    return runs[name]


def test_leaks_dict() -> None:
    kept.append({})


def test_leaks_reference() -> None:
    defective.leak_reference(token)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None lives for ever")
def test_leaks_none() -> None:
    defective.leak_reference(None)


def test_leaks_block() -> None:
    defective.leak(64)


def test_leaks_rarely() -> None:
    if run_of("rarely") % 10 == 0:
        defective.leak(64)


def test_leaks_cache() -> None:
    unbounded(next(numbers))


def test_leaks_descriptor() -> None:
    os.open(os.devnull, os.O_RDONLY)


def test_leaks_thread() -> None:
    threading.Thread(target=release.wait, daemon=True).start()


def test_leaks_in_fixture(leaks_in_fixture: None) -> None:
    pass


@pytest.fixture
def leaks_in_fixture() -> Iterator[None]:
    yield
    kept.append([])


class TestCase(unittest.TestCase):
    """Of unittest."""

    def test_leaks_in_case(self) -> None:
        kept.append({})

    def test_case(self) -> None:
        with self.subTest("one"):
            self.assertEqual(1, 1)


@pytest.mark.asyncio
async def test_leaks_in_coroutine() -> None:
    await asyncio.sleep(0)
    kept.append({})


def leaks_in_doctest() -> None:
    """Keep something.

    >>> kept.append({})
    """


def in_doctest() -> None:
    """Use globals, which pytest clears.

    >>> len(setups) >= 0
    True
    """


@pytest.mark.valgrind_known_leak(reason="issue 7")
def test_leaks_as_is_known() -> None:
    kept.append({})


@pytest.mark.no_leak_check
def test_not_checked() -> None:
    kept.append({})


@pytest.mark.no_leak_check(fail=True, reason="something")
def test_not_checked_and_listed() -> None:
    assert run_of("not checked") == 1


def test_nothing() -> None:
    pass


def test_cache_of_25() -> None:
    if run_of("cache") <= 25:
        defective.leak(64)


def test_bounded_cache() -> None:
    bounded(chance.randrange(10**9))


def test_patterns() -> None:
    re.compile(f"a{{{chance.randrange(1, 10**6)}}}")


def test_cycle() -> None:
    one: list[Any] = []
    one.append(one)


def test_joined_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def test_exception() -> None:
    with pytest.raises(ValueError):
        int("x" * chance.randrange(1, 50))


def test_warning() -> None:
    warnings.warn("again", stacklevel=1)


@given(st.lists(st.integers()))
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
def test_hypothesis(given_numbers: list[int]) -> None:
    assert sorted(given_numbers) == sorted(given_numbers, key=int)


@pytest.fixture(scope="module")
def shared() -> Iterator[list[int]]:
    """Count how often it is set up."""
    setups.append("shared")
    yield []
    setups.remove("shared")


@pytest.fixture
def of_shared(shared: list[int]) -> Iterator[int]:
    yield len(shared)


@pytest.mark.parametrize("number", [0, 1])
def test_shared_fixture(of_shared: int, number: int) -> None:
    assert setups == ["shared"]
    assert of_shared <= number


@pytest.mark.usefixtures("of_shared")
def test_fails_the_third_time() -> None:
    assert run_of("third") < 3


@pytest.mark.usefixtures("of_shared")
def test_fails_only_the_third_time() -> None:
    assert run_of("only third") != 3


@pytest.mark.usefixtures("of_shared")
def test_after_failures() -> None:
    assert setups == ["shared"]


def test_skipped() -> None:
    pytest.skip("not today")


@pytest.mark.xfail(reason="not yet")
def test_expected_failure() -> None:
    raise AssertionError


def test_output(capsys: pytest.CaptureFixture[str]) -> None:
    print("once")
    assert capsys.readouterr().out == "once\n"


def test_descriptors_captured(capfd: pytest.CaptureFixture[str]) -> None:
    print("once")
    assert capfd.readouterr().out == "once\n"


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("hunted").warning("once")
    assert len(caplog.records) == 1


def test_log_for_nobody() -> None:
    logging.getLogger("hunted").warning("x" * 10_000)


def test_much_output() -> None:
    print("x" * 100_000)


@pytest.fixture
def fails_in_the_end() -> Iterator[None]:
    yield
    assert run_of("end") < 3


@pytest.mark.usefixtures("of_shared", "fails_in_the_end")
def test_fails_in_the_end() -> None:
    pass


@pytest.mark.usefixtures("of_shared")
def test_after_failure_in_the_end() -> None:
    assert setups == ["shared"]


def test_file(tmp_path: Path) -> None:
    assert tmp_path.name == "test_file0"  # in each run
    (tmp_path / "file").write_text("x")


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNTED", "once")


def test_knows_that_it_runs() -> None:
    assert os.environ["PYTEST_CURRENT_TEST"].endswith("::test_knows_that_it_runs (call)")


def test_property(record_property: Any) -> None:
    record_property("given", "once")


def test_fails_and_prints() -> None:
    print("printed once")
    raise AssertionError


def test_checker(leaks_checker: Any) -> None:
    """The fixture of pytest-leaks."""
    assert not leaks_checker.hunt_leaks(lambda: None)
    mine: list[object] = []
    assert "memory blocks" in leaks_checker.hunt_leaks(lambda: mine.append({}))
