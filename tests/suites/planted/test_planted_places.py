"""Defects in every place where code of a test runs."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterator

import flaws
import pytest
from interleaving import Defect, interleaved


@pytest.fixture
def in_setup(request: pytest.FixtureRequest) -> None:
    """Do it before the test."""
    request.param()


@pytest.mark.parametrize(
    "in_setup", interleaved(flaws.read_in_setup, flaws.lose_in_setup), indirect=True
)
def test_setup(in_setup: None) -> None:
    """Nothing by itself."""


@pytest.fixture
def in_teardown(request: pytest.FixtureRequest) -> Iterator[None]:
    """Do it after the test."""
    yield
    request.param()


@pytest.mark.parametrize(
    "in_teardown", interleaved(flaws.read_in_teardown, flaws.lose_in_teardown), indirect=True
)
def test_teardown(in_teardown: None) -> None:
    """Nothing by itself."""


class TestSetUp(unittest.TestCase):
    """Defects in unittest's setUp. It runs tests by the alphabet."""

    def setUp(self) -> None:
        """Do what the test's name says."""
        getattr(flaws, self._testMethodName.removeprefix("test_set_up_"), flaws.nothing)()

    def test_set_up_lose_in_set_up(self) -> None:
        """Nothing by itself."""

    def test_set_up_nothing(self) -> None:
        """Nothing."""

    def test_set_up_read_in_set_up(self) -> None:
        """Nothing by itself."""

    def test_set_up_then_nothing(self) -> None:
        """Nothing."""


class TestTearDown(unittest.TestCase):
    """Defects in unittest's tearDown."""

    def tearDown(self) -> None:
        """Do what the test's name says."""
        getattr(flaws, self._testMethodName.removeprefix("test_tear_down_"), flaws.nothing)()

    def test_tear_down_lose_in_tear_down(self) -> None:
        """Nothing by itself."""

    def test_tear_down_nothing(self) -> None:
        """Nothing."""

    def test_tear_down_read_in_tear_down(self) -> None:
        """Nothing by itself."""

    def test_tear_down_then_nothing(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    "defect", interleaved(flaws.start_read_in_thread, flaws.start_lose_in_thread)
)
def test_thread(defect: Defect) -> None:
    """A C thread, which the interpreter does not know."""
    defect()


@pytest.mark.parametrize(
    "defect", interleaved(flaws.read_in_python_thread, flaws.lose_in_python_thread)
)
def test_python_thread(defect: Defect) -> None:
    """A Python thread."""
    thread = threading.Thread(target=defect)
    thread.start()
    thread.join()


class Cycle:
    """Clean."""

    def __init__(self) -> None:
        self.me = self


class ReadsInDealloc(flaws.ReadsInDealloc):
    """In a cycle, with a C type whose tp_dealloc errs."""

    def __init__(self) -> None:
        self.me = self


class LosesInDealloc(flaws.LosesInDealloc):
    """In a cycle, with a C type whose tp_dealloc leaks."""

    def __init__(self) -> None:
        self.me = self


class Finalised:
    """In a cycle, with a finaliser."""

    def __init__(self, defect: Defect) -> None:
        self.me = self
        self.defect = defect

    def __del__(self) -> None:
        """Do it."""
        self.defect()


@pytest.fixture
def garbage_stays() -> Iterator[None]:
    """Leave the garbage to the collections after the test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("garbage", [Cycle, ReadsInDealloc, Cycle, LosesInDealloc, Cycle])
@pytest.mark.usefixtures("garbage_stays")
def test_dealloc(garbage: type) -> None:
    """A cycle."""
    garbage()


@pytest.mark.parametrize("defect", interleaved(flaws.read_in_finaliser, flaws.lose_in_finaliser))
@pytest.mark.usefixtures("garbage_stays")
def test_finaliser(defect: Defect) -> None:
    """A cycle."""
    Finalised(defect)


@pytest.mark.parametrize("defect", interleaved(flaws.read_in_subprocess, flaws.lose_in_subprocess))
def test_subprocess(defect: Defect) -> None:
    """A program that the test starts."""
    code = f"import flaws; flaws.{defect.__name__}()"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("defect", interleaved(flaws.read_in_fork, flaws.lose_in_fork))
def test_fork(defect: Defect) -> None:
    """A child of the test's process."""
    pid = os.fork()
    if pid == 0:
        defect()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def lose_in_doctest() -> None:
    """Leak in a doctest; they run by the alphabet.

    >>> flaws.lose_in_doctest()
    """


def nothing_in_doctest() -> None:
    """Do nothing.

    >>> flaws.nothing()
    """


def read_in_doctest() -> None:
    """Err in a doctest.

    >>> flaws.read_in_doctest()
    """


def then_nothing_in_doctest() -> None:
    """Do nothing.

    >>> flaws.nothing()
    """
