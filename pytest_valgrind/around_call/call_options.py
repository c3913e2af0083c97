"""How often a function is called, and how much memory may grow: the options of psleak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pytest_valgrind.around_call.checkers import Checkers

#: What is measured, in bytes: of the heap, of anonymous maps, of the process alone (unique set
#: size), in memory, and of addresses.
METRICS = ("heap", "mmap", "uss", "rss", "vms")

#: Bytes for all metrics, or by metric.
Tolerance = int | Mapping[str, int]


class CallOptions(NamedTuple):
    """The options of a check around a call."""

    #: Calls before the first measurement.
    warmup_times: int = 10
    #: Calls between the first two measurements.
    times: int = 200
    #: Measurements before memory is said to grow, at most.
    retries: int = 10
    #: Bytes by which memory may grow from one measurement to the next.
    tolerance: Tolerance = 0
    #: Empties caches before each measurement.
    trim_callback: Callable[[], object] | None = None
    checkers: Checkers = Checkers()

    def tolerated(self, metric: str) -> int:
        """Return by how many bytes a metric may grow."""
        tolerance = self.tolerance
        return tolerance if isinstance(tolerance, int) else tolerance.get(metric, 0)

    def validated(self) -> CallOptions:
        """Return the same.

        :raises TypeError: if one is of another type, with psleak's words.
        :raises ValueError: if one makes no sense.
        """
        for name in ("warmup_times", "times", "retries"):
            _expect(name, getattr(self, name), (int,), "int")
        _expect("tolerance", self.tolerance, (int, dict), "int or dict")
        if self.trim_callback is not None and not callable(self.trim_callback):
            _expect("trim_callback", self.trim_callback, (), "Callable")
        for name, least in (("warmup_times", 0), ("times", 2), ("retries", 1)):
            if (number := getattr(self, name)) < least:
                raise ValueError(f"{name} must be >= {least} (got {number})")
        if isinstance(self.tolerance, int):
            if self.tolerance < 0:
                raise ValueError(f"tolerance must be >= 0 (got {self.tolerance!r})")
        else:
            for metric, bytes in self.tolerance.items():
                if metric not in METRICS:
                    raise ValueError(f"invalid tolerance key {metric!r}")
                if bytes < 0:
                    raise ValueError(f"{metric!r} tolerance must be >= 0 (got {bytes})")
        return self


def _expect(name: str, value: Any, types: tuple[type, ...], words: str) -> None:
    if not isinstance(value, types):
        raise TypeError(f"{name!r} must be instance of {words} (got {value!r})")
