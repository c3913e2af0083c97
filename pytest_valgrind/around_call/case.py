"""A test case of unittest around calls, with the names of psleak 0.1.6: one import is changed."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Callable, Mapping
from typing import Any

from pytest_valgrind.around_call.call_check import CallCheck, bound, name_of
from pytest_valgrind.around_call.call_options import CallOptions, Tolerance
from pytest_valgrind.around_call.checkers import Checkers

# Frames of these functions are not shown where a check fails.
__tracebackhide__ = True


class LeakTest:
    """A function for ``MemoryLeakTestCase.auto_generate``, with its arguments.

    :param execute_kwargs: those of ``execute``.
    """

    def __init__(self, fun: Callable[..., object], *args: object, **execute_kwargs: Any) -> None:
        if not callable(fun):
            raise TypeError(f"'fun' must be instance of Callable (got {fun!r})")
        self.fun = fun
        self.args = args
        self.execute_kwargs = dict(execute_kwargs)


class MemoryLeakTestCase(unittest.TestCase):
    """Checks functions by :meth:`execute`; the attributes are what holds where it is not told.

    Subclasses may replace :meth:`call`, and psleak's ``_call_ntimes`` and ``_log``.
    """

    warmup_times: int = 10
    times: int = 200
    retries: int = 10
    tolerance: Tolerance = 0
    trim_callback: Callable[[], object] | None = None
    checkers: Checkers = Checkers()
    #: 1 prints how memory grows.
    verbosity: int = 0

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        generated: object = cls.auto_generate()
        if not isinstance(generated, dict):
            raise TypeError(f"{cls.__name__}.auto_generate must return a dict")
        for name, entry in generated.items():
            if not isinstance(entry, LeakTest):
                raise TypeError(f"{cls.__name__}.auto_generate()[{name!r}] must be a LeakTest")
            method = f"test_leak_{name}"
            if method in cls.__dict__:
                raise RuntimeError(f"{cls.__name__} already defines {method}")
            setattr(cls, method, _generated(method, name, entry))

    @classmethod
    def auto_generate(cls) -> dict[str, LeakTest]:
        """Return functions by name; each becomes a method ``test_leak_NAME``."""
        return {}

    def call(self, fun: Callable[[], object]) -> object:
        """Call a function that is checked."""
        return fun()

    def execute(  # noqa: PLR0913
        self,
        fun: Callable[..., object],
        *args: object,
        warmup_times: int | None = None,
        times: int | None = None,
        retries: int | None = None,
        tolerance: Tolerance | None = None,
        trim_callback: Callable[[], object] | None = None,
        checkers: Checkers | None = None,
    ) -> None:
        """Call a function again and again, and see that it leaves nothing.

        What is not told is as the attributes of the class have it.

        :raises unittest.SkipTest: if memory cannot be measured here.
        :raises Error: if it leaves something.
        """
        told = {
            "warmup_times": warmup_times,
            "times": times,
            "retries": retries,
            "tolerance": tolerance,
            "trim_callback": trim_callback,
            "checkers": checkers,
        }
        values: dict[str, Any] = {
            name: getattr(self, name) if value is None else value for name, value in told.items()
        }
        self._check = CallCheck(CallOptions(**values), self.call, self._log, self._call_ntimes)
        self._check.run(bound(fun, args))

    def execute_w_exc(
        self,
        exc: type[BaseException] | tuple[type[BaseException], ...],
        fun: Callable[..., object],
        *args: object,
        **kwargs: Any,
    ) -> None:
        """Do the same with a function that raises an exception in each call.

        :raises AssertionError: if it does not.
        """
        called = bound(fun, args)

        def call() -> None:
            try:
                self.call(called)
            except exc:
                pass
            else:
                self.fail(f"{name_of(called)!r} did not raise {exc}")

        self.execute(call, **kwargs)

    def _call_ntimes(self, fun: Callable[[], object], times: int) -> Mapping[str, int]:
        return self._check.measure(fun, times)

    def _log(self, msg: str, level: int) -> None:
        if level <= self.verbosity:
            print(msg)
            # What is in the buffer would count as memory.
            sys.stdout.flush()


def _generated(method: str, name: str, entry: LeakTest) -> Callable[[MemoryLeakTestCase], None]:
    def test(self: MemoryLeakTestCase) -> None:
        self.execute(bound(entry.fun, entry.args), **entry.execute_kwargs)

    test.__name__ = test.__qualname__ = method
    test.__doc__ = f"Auto-generated leak test for {name}"
    return test
