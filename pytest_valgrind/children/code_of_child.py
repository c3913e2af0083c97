"""What a child process runs: whose code it is, and its command in words."""

from __future__ import annotations

import re

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.memcheck.object_files import ObjectFiles

#: Signals by which the processor and the kernel say that a program is wrong (signal(7)), and
#: abort(); the others are sent by somebody who wants it to end.
FAULTS = (4, 5, 6, 7, 8, 11, 31)
_LONGEST_COMMAND = 60
_PROGRAMS_OF_SYSTEM = re.compile(r"/(usr/)?(local/)?(s?bin|libexec|lib/gcc|lib/git-core)/")


def owner_in_child(owners: ObjectFiles, path: str | None, function: str) -> Owner:
    """Return whose code a function is: that of another interpreter and its modules, perhaps."""
    owner = owners.owner(path, function)
    if path is None or owner is not Owner.EXTENSION:
        return owner
    if "/lib-dynload/" in path:
        return Owner.INTERPRETER
    return Owner.LIBRARY if _PROGRAMS_OF_SYSTEM.match(path) else owner


def is_program_of_system(owners: ObjectFiles, path: str) -> bool:
    """Whether a program belongs to the system, and is no interpreter of Python."""
    return (
        _PROGRAMS_OF_SYSTEM.match(path) is not None
        and owners.owner(path, "") is not Owner.INTERPRETER
    )


def is_of_system(finding: Finding) -> bool:
    """Whether only a system program (the shell, for example) has to do with it."""
    stacks = (finding.stack, *(further.stack for further in finding.further))
    owners = {frame.owner for stack in stacks for frame in stack}
    return owners.isdisjoint((Owner.EXTENSION, Owner.INTERPRETER, Owner.UNKNOWN)) and any(
        frame.object and _PROGRAMS_OF_SYSTEM.match(frame.object)
        for stack in stacks
        for frame in stack
    )


def shortened(program: str, arguments: str) -> str:
    """Return a command without the program's directory, and not too long."""
    command = program.rpartition("/")[2] + arguments
    cut = command[:_LONGEST_COMMAND].rstrip()
    return command if len(command) <= _LONGEST_COMMAND else f"{cut} ..."
