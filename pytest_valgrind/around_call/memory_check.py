"""What the fixture ``memory_check`` gives to a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_valgrind.around_call.case import MemoryLeakTestCase


class MemoryCheck:
    """A function that checks another one, and fails the test if that leaves something."""

    def __call__(self, func: Callable[..., object], *args: object, **options: Any) -> None:
        """Call a function again and again.

        :param options: ``times``, ``warmup_times``, ``retries``, ``tolerance``, ``trim_callback``
            and ``checkers``, as ``MemoryLeakTestCase`` has them.
        :raises Error: if it leaves something.
        """
        __tracebackhide__ = True
        MemoryLeakTestCase().execute(func, *args, **options)

    def raising(
        self,
        exception: type[BaseException] | tuple[type[BaseException], ...],
        func: Callable[..., object],
        *args: object,
        **options: Any,
    ) -> None:
        """Do the same with a function that raises an exception in each call.

        :raises Error: if it leaves something.
        :raises AssertionError: if it does not raise the exception.
        """
        __tracebackhide__ = True
        MemoryLeakTestCase().execute_w_exc(exception, func, *args, **options)
