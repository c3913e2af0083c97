"""The names of pytest-valgrind 0.x, where they were."""

from __future__ import annotations

from pytest_valgrind import client
from pytest_valgrind.client import access_invalid, create_leak

__all__ = [
    "access_invalid",
    "create_leak",
    "do_leak_check",
    "get_valgrind_num_errs",
    "print_to_valgrind_log",
    "running_valgrind",
]


def running_valgrind() -> int:
    """Return how many valgrinds this process runs under: 0 natively."""
    return client.running_on_valgrind()


def get_valgrind_num_errs() -> int:
    """Return the number of errors so far, repeated ones included."""
    return client.count_errors()


def do_leak_check() -> int:
    """Check for leaks and return the bytes that are definitely or indirectly lost by now."""
    client.leak_check()
    return client.count_leaks().leaked


def print_to_valgrind_log(text: bytes) -> None:
    """Write lines to valgrind's log.

    :raises TypeError: if the text is not bytes.
    """
    if not isinstance(text, bytes):
        raise TypeError(f"expected bytes, {type(text).__name__} found")
    client.print_to_log(text.decode("utf-8", "surrogateescape"))
