"""What can become of a test."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import defective
import pytest


def test_clean() -> None:
    """Nothing."""


def test_clean_but_fails() -> None:
    """An ordinary failure."""
    raise AssertionError


def test_clean_but_skipped() -> None:
    """An ordinary skip."""
    pytest.skip("not today")


@pytest.mark.xfail(strict=True)
def test_clean_expected_failure() -> None:
    """An ordinary expected failure."""
    raise ValueError


def test_leak() -> None:
    """A lost block."""
    defective.leak(10)


def test_clean_after_leak() -> None:
    """What was lost before is not lost again."""


def test_leak_of_a_size() -> None:
    """Several blocks of a size."""
    for _ in range(3):
        defective.leak(1000)


def test_leaked_str() -> None:
    """A reference too many to an object that the collector does not know."""
    defective.leak_reference("".join(["a string", "of its own"]))


def test_leaked_tuple() -> None:
    """The same for a tuple, whose block has been one before."""
    defective.leak_reference((object(), "a"))


def test_leak_in_thread() -> None:
    """A block that a native thread lost."""
    defective.leak_in_thread()


def test_error_in_python_thread() -> None:
    """An error on a stack without the test's frame."""
    thread = threading.Thread(target=defective.read_past_end)
    thread.start()
    thread.join()


def test_invalid_read() -> None:
    """A read past the end."""
    defective.read_past_end()


def test_invalid_read_again() -> None:
    """The same error, which valgrind does not show again."""
    defective.read_past_end()


def test_invalid_write() -> None:
    """A write into a freed block."""
    defective.write_after_free()


def test_invalid_free() -> None:
    """A block freed twice."""
    defective.free_twice()


def test_uninitialised() -> None:
    """A decision upon garbage."""
    defective.decide_uninitialised()


def test_error_and_leak_and_failure() -> None:
    """Everything at once."""
    defective.decide_uninitialised()
    defective.leak(12)
    raise AssertionError("the test's own words")


def test_error_and_skip() -> None:
    """A skip does not hide an error."""
    defective.write_after_free()
    pytest.skip("too late")


@pytest.mark.xfail(reason="fails anyway")
def test_expected_failure_that_leaks() -> None:
    """An expected failure does not hide a leak."""
    defective.leak(13)
    raise ValueError


@pytest.fixture
def leaks_in_setup() -> None:
    """Leak before the test."""
    defective.leak(14)


def test_leak_in_setup(leaks_in_setup: None) -> None:
    """The fixture's leak is the test's."""


@pytest.fixture
def errs_in_setup() -> None:
    """Err before the test."""
    defective.read_past_end()


def test_error_in_setup(errs_in_setup: None) -> None:
    """The fixture's error is the test's."""


@pytest.fixture
def errs_in_teardown() -> Iterator[None]:
    """Err after the test."""
    yield
    defective.write_after_free()


def test_error_in_teardown(errs_in_teardown: None) -> None:
    """The fixture's error is the test's, in its teardown."""


class _Cycle:
    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        defective.decide_uninitialised()


def test_error_in_garbage_collection() -> None:
    """An error of a finaliser that only the collector calls."""
    gc.collect()
    gc.disable()
    _Cycle()


@pytest.fixture
def fails_in_setup() -> None:
    """Fail, and leak on the way."""
    defective.leak(15)
    raise RuntimeError("no setup")


def test_failing_setup_that_leaks(fails_in_setup: None) -> None:
    """Never called."""


def test_before_defects_between_tests() -> None:
    """The conftest errs and leaks after this one."""


def test_clean_after_defects_between_tests() -> None:
    """Not to blame for them."""


def test_name_with_odd_letters() -> None:
    """Nothing."""


@pytest.mark.parametrize("size", [0, 21, 0, 22], ids=["a%p", "b", "c\u00e9\n", "d[::]"])
def test_parameters(size: int) -> None:
    """Some parameters leak."""
    if size:
        defective.leak(size)
