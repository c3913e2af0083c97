"""What a hunt has found, in the words of pytest-leaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_valgrind.findings.fingerprint import Identity
from pytest_valgrind.hunt.counters import NAMES
from pytest_valgrind.hunt.rates import in_digits

#: What a test does that leaks when it is repeated, as a kind of finding.
KIND = "growth by repetition"
#: In the place of a counter's name, where a test was not repeated and is to be listed.
NOT_CHECKED = "(not checked)"


class Leaks(dict[str, object]):
    """How much each counter grew that leaks, by its name: in each run, or in each long window."""

    #: Runs of each of these windows, and of all; empty and 0 where each is one run.
    runs: Sequence[int] = ()
    total: int = 0
    #: Lines about what leaks, as far as it is known.
    names: Sequence[str] = ()

    def __str__(self) -> str:
        return "leaked " + ", ".join(f"{name}: {value!r}" for name, value in self.items())

    @classmethod
    def not_checked(cls, reason: str) -> Leaks:
        """Return what is said of a test that is listed without having been repeated."""
        return cls({NOT_CHECKED: reason})

    def rate(self, number: int) -> float:
        """Return by how much a counter grows in a run; 0 if it does not leak.

        :param number: of the counter, in the order of their names.
        """
        growth = self.get(NAMES[number])
        if not isinstance(growth, list) or not growth:
            return 0.0
        last: int = growth[-1]
        return last / (self.runs[-1] if self.runs else 1)

    @property
    def lines(self) -> list[str]:
        """For a test's failure: rates, and what is known."""
        rates = [
            f"{name}: {_signed(self.rate(number))} a run"
            for number, name in enumerate(NAMES)
            if name in self
        ]
        seen = f" (in the last {self.runs[-1]:,} of {self.total:,} runs)" if self.runs else ""
        return [f"{', '.join(rates) or self}{seen}", *self.names]

    def encoded(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return {
            "leaks": dict(self),
            "runs": list(self.runs),
            "total": self.total,
            "names": list(self.names),
        }

    @classmethod
    def decoded(cls, values: Mapping[str, Any]) -> Leaks:
        """Return the same again."""
        leaks = cls(values["leaks"])
        for name in ("runs", "total", "names"):
            setattr(leaks, name, values[name])
        return leaks


def _signed(rate: float) -> str:
    return f"{'+' if rate > 0 else ''}{in_digits(rate)}"


def identity_of(leaks: Iterable[str]) -> Identity:
    """Return what stays the same of what a test leaks: which counters grow.

    :param leaks: their names.
    """
    return Identity(KIND, (), tuple(sorted(leaks)))
