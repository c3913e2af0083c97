"""What it is that leaks, looked for only where something does."""
from __future__ import annotations
from collections.abc import Callable
from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.hunt.observer import Observer

def names(leaks: Leaks, observer: Observer, run: Callable[[], bool]) -> list[str]:
    return []
