"""Functions, files and lines of C code at an address, by addr2line (binutils, or LLVM).

Debug information is read where it matters only: for what failed tests have lost.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Frame, Owner, Stack
from pytest_valgrind.heap.engine import symbol_at, untracked
from pytest_valgrind.memcheck.object_files import ObjectFiles

_PROGRAMS = ("addr2line", "llvm-addr2line")
# Seconds; a large object file without an index takes some.
_PATIENCE = 20.0
_PLACE = re.compile(r"(.*):(\d+)(?: \(discriminator \d+\))?")
# Of ELF's header (elf(5)): e_type, and its value for what is loaded at any address.
_TYPE = slice(16, 18)
_ANYWHERE = b"\x03\0"


class FramesAt(Protocol):
    """Makes stack frames of addresses."""

    def at(self, address: int) -> Frame:
        """Return the frame of a function that goes on at an address."""


class CFrames:
    """Makes stack frames of addresses in this process."""

    def __init__(self) -> None:
        self._objects = ObjectFiles()

    def at(self, address: int) -> Frame:
        """Return the frame of a function that goes on at an address."""
        symbol = symbol_at(address)
        function = symbol.function or "???"
        owner = self._objects.owner(symbol.object, function)
        return Frame(address, function, object=symbol.object, owner=owner)


def _base(path: str) -> int | None:
    """Return what is added to the addresses of an object file, None if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            if file.read(_TYPE.stop)[_TYPE] != _ANYWHERE:
                return 0
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith(f" {path}"):
                return int(line.partition("-")[0], 16)
    except OSError:
        pass
    return None


#: What is added to the addresses of an object file, None if that is not known.
BaseOf = Callable[[str], "int | None"]


def placed(found: Sequence[Finding], base_of: BaseOf = _base) -> list[Finding]:
    """Return findings with files and lines of C; those of the interpreter are of no interest.

    :param base_of: in the process of the frames, which is this one if nothing else is said.
    """
    tops = [stack[0] for finding in found for stack in _stacks(finding) if stack]
    frames = [frame for frame in tops if frame.owner in (Owner.EXTENSION, Owner.LIBRARY)]
    if not frames:
        return list(found)
    places = dict(zip(frames, with_places(frames, base_of), strict=True))

    def of(stack: Stack) -> Stack:
        return (*places.get(stack[0], stack[:1]), *stack[1:]) if stack else stack

    return [
        replace(
            finding,
            stack=of(finding.stack),
            further=tuple(more._replace(stack=of(more.stack)) for more in finding.further),
        )
        for finding in found
    ]


def _stacks(finding: Finding) -> list[Stack]:
    return [finding.stack, *(more.stack for more in finding.further)]


def with_places(frames: Sequence[Frame], base_of: BaseOf = _base) -> list[list[Frame]]:
    """Return, for each frame, itself with its file and line, below those that were inlined there.

    :param frames: their addresses being those at which they go on.
    :param base_of: in the process of the frames, which is this one if nothing else is said.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    found = [[frame] for frame in frames]
    if program is None:
        return found
    for path in {frame.object for frame in frames if frame.object}:
        base = base_of(path)
        numbers = [n for n, frame in enumerate(frames) if frame.object == path]
        if base is None:
            continue
        # The instruction before is the call.
        addresses = [f"{frames[n].address - 1 - base:#x}" for n in numbers]
        for n, places in zip(numbers, _asked(program, path, addresses), strict=False):
            found[n] = [*_frames(frames[n], places)] or found[n]
    return found


def _asked(program: str, path: str, addresses: Iterable[str]) -> list[list[tuple[str, str]]]:
    """Return functions and places for each address, the innermost first."""
    command = [program, "--exe", path, "--functions", "--inlines", "--demangle", "--addresses"]
    answers: list[list[tuple[str, str]]] = []
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [*command, *addresses],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=untracked(),
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=True,
        )
        pending = ""
        for line in done.stdout.splitlines():
            if line.startswith("0x"):
                answers.append([])
                pending = ""
            elif pending:
                answers[-1].append((pending, line))
                pending = ""
            else:
                pending = line
    return answers


def _frames(frame: Frame, places: Iterable[tuple[str, str]]) -> Iterable[Frame]:
    for function, place in places:
        match = _PLACE.fullmatch(place)
        if function == "??" or match is None:
            if function != "??" and frame.function == "???":
                yield frame._replace(function=function)
            continue
        path, line = match[1], int(match[2])
        is_known = path != "??" and line > 0
        yield frame._replace(
            function=function,
            file=Path(path).name if is_known else None,
            line=line if is_known else None,
            path=path if is_known else None,
        )
