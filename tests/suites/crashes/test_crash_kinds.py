"""Tests in which the process dies, and tests between them."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator

import defective
import pytest


@pytest.fixture
def dies_in_setup() -> None:
    """Die."""
    defective.crash()


@pytest.fixture
def dies_in_teardown() -> Iterator[None]:
    """Die afterwards."""
    yield
    defective.crash()


def test_before() -> None:
    """It does not matter to this one."""


def test_leak() -> None:
    """Found although the process dies later, or said to be unchecked."""
    defective.leak()


def test_error() -> None:
    """Of this test, whatever comes later."""
    defective.read_past_end()


def test_segmentation_fault() -> None:
    """SIGSEGV."""
    defective.crash()


def test_between() -> None:
    """Run by another process, if any."""


def test_abort() -> None:
    """SIGABRT, as by the C library."""
    defective.abort_process()


def test_fatal_error() -> None:
    """SIGABRT by the interpreter."""
    ctypes.pythonapi.Py_FatalError(b"no way to go on")


def test_terminate() -> None:
    """SIGABRT, by what C++ calls for an exception that nobody catches."""
    ctypes.CDLL("libstdc++.so.6")._ZSt9terminatev()


def test_bus_error() -> None:
    """SIGBUS."""
    os.kill(os.getpid(), signal.SIGBUS)


def test_floating_point_exception() -> None:
    """SIGFPE."""
    defective.divide_by_zero(0)


def test_killed() -> None:
    """As by the kernel when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_exit() -> None:
    """Past pytest and the interpreter."""
    os._exit(3)


def test_setup(dies_in_setup: None) -> None:
    """Not even begun."""


def test_teardown(dies_in_teardown: None) -> None:
    """All but over."""


def test_after() -> None:
    """It does not matter to this one."""


def test_leak_after() -> None:
    """Found by another process, if any."""
    defective.leak(20)
