"""How much more there is after each run, in numbers that a person reads."""

from __future__ import annotations

from math import floor, log10

from pytest_valgrind.findings.finding import plural

#: Of a number; the rest is chance, as what is made once is in it as well.
_DIGITS = 3


def in_digits(number: float) -> str:
    """Return a number with three significant digits: ``0.0123``, ``9.16``, ``1,010``."""
    if not number:
        return "0"
    places = _DIGITS - 1 - floor(log10(abs(number)))
    rounded = round(number, places)
    if rounded == int(rounded):
        return f"{int(rounded):,}"
    return f"{rounded:,.{max(places, 0)}f}".rstrip("0").rstrip(".")


def per_run(count: int, runs: int) -> str:
    """Return how many there are for each run.

    :param count: of what is there after all runs, some of which may have been made once.
    """
    return f"{count // runs:,}" if count >= runs else in_digits(count / runs)


def things_per_run(count: int, runs: int, noun: str, nouns: str = "") -> str:
    """Return as many things as there are for each run: ``1 block``, ``0.25 blocks``."""
    if count >= runs:
        return plural(count // runs, noun, nouns)
    return f"{in_digits(count / runs)} {nouns or f'{noun}s'}"
