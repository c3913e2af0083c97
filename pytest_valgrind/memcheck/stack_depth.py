"""Whether valgrind's stacks are deep enough to reach the frame below which a test runs."""

from __future__ import annotations

from collections.abc import Callable

from pytest_valgrind import client
from pytest_valgrind.memcheck.log_lines import Line

#: Valgrind's most (its manual, 2.6.2, --num-callers).
_MOST_CALLERS = 500
#: Frames for what a test calls: a helper, a method of the extension, a constructor.
_ROOM = 16

#: Returns the lines that a request prints to the log.
Printed = Callable[[Callable[[], object]], list[Line]]


def callers_in_force(printed: Printed) -> int:
    """Return how many frames valgrind records, whatever its options say."""
    lines = [
        line.text.split(": ")
        for line in printed(lambda: client.print_stack(_MOST_CALLERS))
        if line.text.startswith(("   at ", "   by "))
    ]
    own = [address for address, function in lines if function.startswith("pvg_print_stack")]
    # What it calls is on top, unless it was inlined and has the same address.
    on_top = {address.split()[-1] for address, _ in lines} - {one.split()[-1] for one in own}
    return len(own) + len(on_top)


def callers_needed(printed: Printed) -> int:
    """Return how many frames an ordinary test needs for its own to be among them."""

    def call_with_tuple(function: Callable[..., object], *arguments: object) -> object:
        return function(*arguments)

    # As many calls as from HookChain.call (items/hook_chain.py) to the function of a test.
    stack = printed(
        lambda: client.inside_test(
            0, call_with_tuple, call_with_tuple, call_with_tuple, client.print_stack, 0
        )
    )
    frames = {line.text.partition(": ")[0] for line in stack if ": " in line.text}
    return len(frames) + _ROOM
