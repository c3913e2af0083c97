"""Tests that lose memory, in every place where a test may, and some that lose none."""

from __future__ import annotations

import asyncio
import os
import threading
import unittest
from collections.abc import Iterator

import defective
import pytest

CACHE: list[object] = []


class Node:
    """Something with attributes."""

    def __init__(self, name: str) -> None:
        self.name = name


def lose_in_doctest() -> None:
    """Lose a block.

    >>> import defective
    >>> defective.leak(61)
    """


def test_clean() -> None:
    """Nothing."""


def test_block() -> None:
    """Lose what C code has allocated."""
    defective.leak(51)


def test_block_below_a_helper() -> None:
    """Lose it in a function that the test calls."""

    def helper() -> None:
        defective.leak(52)

    helper()


def test_list() -> None:
    """Lose a reference to a list."""
    defective.leak_reference([1000, 1001])


def test_dict() -> None:
    """Lose a reference to a dict."""
    defective.leak_reference({"lost": 1000})


def test_str() -> None:
    """Lose a reference to a str."""
    defective.leak_reference(f"nobody else has this: {os.getpid()}")


def test_instance() -> None:
    """Lose a reference to an instance of a Python class."""
    defective.leak_reference(Node(f"lost {os.getpid()}"))


def test_several() -> None:
    """Lose two things at two places."""
    defective.leak(53)
    defective.leak_reference(["two"])


def test_cache_that_stays() -> None:
    """Keep an object in a global list, as caches do."""
    CACHE.append(Node("kept"))


def test_thread_of_c() -> None:
    """Lose a block in a thread that C code starts."""
    defective.leak_in_thread()


def test_thread_of_python() -> None:
    """Lose a block in a Python thread."""
    thread = threading.Thread(target=defective.leak, args=(54,))
    thread.start()
    thread.join()


def test_fork() -> None:
    """Lose a block in a forked process, which is not checked."""
    pid = os.fork()
    if pid == 0:
        defective.leak(55)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_after_fork() -> None:
    """Lose a block in the process itself again."""
    defective.leak(56)


@pytest.mark.parametrize("size", [0, 57, 58])
def test_parametrized(size: int) -> None:
    """Lose as much as the parameter says."""
    if size:
        defective.leak(size)


@pytest.mark.asyncio
async def test_coroutine() -> None:
    """Lose a block in a coroutine."""
    await asyncio.sleep(0)
    defective.leak(59)


class TestUnittest(unittest.TestCase):
    """Tests as unittest has them."""

    def setUp(self) -> None:
        """Lose a block before the one test."""
        if "set_up" in self.id():
            defective.leak(62)

    def test_in_set_up(self) -> None:
        """Nothing by itself."""

    def test_in_subtest(self) -> None:
        """Lose a block in one of two parts."""
        for size in (0, 63):
            with self.subTest(size=size):
                if size:
                    defective.leak(size)

    def test_clean_method(self) -> None:
        """Nothing."""


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 has subtests of its own")
def test_subtests(request: pytest.FixtureRequest) -> None:
    """Lose a block in one of two parts."""
    subtests = request.getfixturevalue("subtests")
    for size in (0, 64):
        with subtests.test(size=size):
            if size:
                defective.leak(size)


def test_fails_and_leaks() -> None:
    """Fail, having lost a block."""
    defective.leak(65)
    raise AssertionError("on purpose")


def test_fails() -> None:
    """Fail in an ordinary way."""
    raise AssertionError("on purpose")


@pytest.mark.xfail(reason="on purpose")
def test_expected_failure() -> None:
    """Fail as expected."""
    raise AssertionError("on purpose")


@pytest.mark.xfail(reason="on purpose")
def test_expected_failure_that_leaks() -> None:
    """Fail as expected, having lost a block, which was not expected."""
    defective.leak(66)
    raise AssertionError("on purpose")


@pytest.mark.valgrind_skip(reason="only valgrind is too slow for it")
def test_skipped_under_valgrind() -> None:
    """Run, as this is not valgrind."""


@pytest.fixture
def lost_in_setup() -> None:
    """Lose a block before the test."""
    defective.leak(71)


@pytest.fixture
def lost_in_teardown() -> Iterator[None]:
    """Lose a block after the test."""
    yield
    defective.leak(72)


@pytest.fixture(scope="class")
def lost_by_class() -> Iterator[None]:
    """Lose a block before and one after all tests of a class."""
    defective.leak(73)
    yield
    defective.leak(74)


@pytest.fixture(scope="module")
def lost_by_module() -> Iterator[None]:
    """Lose a block before and one after all tests of the module."""
    defective.leak(75)
    yield
    defective.leak(76)


@pytest.fixture(scope="session")
def lost_by_session() -> Iterator[None]:
    """Lose a block before and one after all tests."""
    defective.leak(77)
    yield
    defective.leak(78)


def test_setup(lost_in_setup: None) -> None:
    """Nothing by itself."""


def test_teardown(lost_in_teardown: None) -> None:
    """Nothing by itself."""


@pytest.mark.usefixtures("lost_by_class")
class TestScope:
    """Tests that share a fixture."""

    def test_first_of_class(self) -> None:
        """Nothing by itself."""

    def test_last_of_class(self) -> None:
        """Nothing by itself."""


def test_first_of_module(lost_by_module: None, lost_by_session: None) -> None:
    """Nothing by itself."""


def test_second_of_module(lost_by_module: None, lost_by_session: None) -> None:
    """Nothing by itself."""


def test_last() -> None:
    """Nothing by itself."""
