"""Suppressions: what valgrind shall not report (its manual, 2.5)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Owner, Stack

_PLACES = ("fun:", "obj:")
_ANYTHING = "..."
#: The frame of Python code, below which stacks are all alike.
_EVALUATION = r"_PyEval_EvalFrame\w*"
# Valgrind itself tells errors apart by four frames (VG_(eq_ExeContext) in m_execontext.c).
_FEWEST_PLACES = 4
#: More of a stack without an extension's frame makes it no more particular, and longer to read.
MOST_PLACES = 24


class Suppression(NamedTuple):
    """A suppression without its name."""

    kind: tuple[str, ...]  #: ``Memcheck:Leak``, and the lines that say more about it
    places: tuple[str, ...]  #: ``fun:malloc``, ``obj:*/x.so``, ``...``

    @classmethod
    def of(cls, finding: Finding) -> Suppression | None:
        """Return the suppression of a finding, down to the outermost frame of an extension.

        Frames of the interpreter stand as ``...``, as the next version has others. None if
        valgrind printed none.
        """
        found = cls._in_full(finding)
        if found is None:
            return None
        own = _outermost(finding.stack, Owner.EXTENSION) or _outermost(finding.stack, Owner.LIBRARY)
        if not own:
            return found._replace(places=found.places[:MOST_PLACES])
        places: list[str] = []
        for place, frame in zip(found.places[:own], finding.stack, strict=False):
            if places and frame.owner in (Owner.INTERPRETER, Owner.LIBC):
                if places[-1] != _ANYTHING:
                    places.append(_ANYTHING)
            else:
                places.append(place)
        return found._replace(places=tuple(places))

    @classmethod
    def of_noise(cls, finding: Finding) -> Suppression | None:
        """Return the suppression of an error that the interpreter raised by itself.

        It goes down to the frame of Python code: what is above is what the interpreter did there.
        """
        found = cls._in_full(finding)
        if found is None:
            return None
        ends = [
            index + 1
            for index, frame in enumerate(finding.stack)
            if re.fullmatch(_EVALUATION, frame.function) and index + 1 >= _FEWEST_PLACES
        ]
        end = min([*ends, MOST_PLACES])
        return found._replace(places=found.places[:end])

    @classmethod
    def _in_full(cls, finding: Finding) -> Suppression | None:
        lines = finding.suppression[1:]  # the first is for a name
        kind = tuple(line for line in lines if not line.startswith(_PLACES))
        places = tuple(_portable(line) for line in lines if line.startswith(_PLACES))
        # Frames of ours at the bottom are not the same for every test.
        places = places[: len(finding.stack)]
        return cls(kind, places) if kind and places else None

    def covers(self, other: Suppression) -> bool:
        """Whether it suppresses what another one does: more places make it more particular."""
        return self.kind == other.kind and other.places[: len(self.places)] == self.places

    def lines(self, name: str) -> Iterator[str]:
        """Yield the lines of a suppression file."""
        yield "{"
        for line in (name, *self.kind, *self.places):
            yield f"   {line}"
        yield "}"


class Named(NamedTuple):
    """Where a suppression in a file is."""

    name: str
    path: Path
    line: int  #: of its name

    def __str__(self) -> str:
        return f"{self.name} {self.path}:{self.line}"


def named_in(path: Path) -> Iterator[Named]:
    """Yield the suppressions for memcheck that a file holds.

    :raises OSError: if it cannot be read.
    """
    tools_of_memcheck = {"Memcheck", "CoreError"}
    name: Named | None = None
    is_in_suppression = False
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if text in ("{", "}"):
                is_in_suppression, name = text == "{", None
            elif is_in_suppression and name is None:
                name = Named(text, path, number)
            elif name and ":" in text:
                tools = text.partition(":")[0].split(",")
                if not tools_of_memcheck.isdisjoint(tools):
                    yield name
                is_in_suppression = False


def unused(paths: Iterable[Path], used: set[str]) -> Iterator[Named]:
    """Yield the suppressions in files that are not among those in use.

    A file that is not there any more, now that the tests have run, is passed over.

    :param used: name, file and line of each, as valgrind lists them.
    """
    for path in paths:
        with contextlib.suppress(OSError):
            yield from (named for named in named_in(path) if str(named) not in used)


def write(path: Path, findings: Iterable[tuple[str, Finding]]) -> int:
    """Write a file that suppresses findings, each once.

    :param findings: each with where it was found.
    :return: how many suppressions there are.
    :raises OSError: if it cannot be written.
    """
    text = "".join(f"{line}\n" for line in _lines_for(findings))
    path.write_text(f"# By pytest --valgrind --valgrind-gen-suppressions.\n{text}")
    return count(text)


def count(text: str) -> int:
    """Return how many suppressions there are in the text of a file."""
    return text.splitlines().count("{")


def _lines_for(findings: Iterable[tuple[str, Finding]]) -> Iterator[str]:
    distinct: dict[Suppression, tuple[str, Finding]] = {}
    for where, finding in findings:
        if suppression := Suppression.of(finding):
            distinct.setdefault(suppression, (where, finding))
    for suppression, (where, finding) in distinct.items():
        if any(other != suppression and other.covers(suppression) for other in distinct):
            continue
        yield ""
        yield from _comment(finding, suppression)
        yield from suppression.lines(f"{where}: {finding.kind.value}")


def _comment(finding: Finding, suppression: Suppression) -> Iterator[str]:
    if finding.kind.is_leak:
        yield f"# {finding.size} {finding.kind.value}"
    else:
        yield f"# {finding.message}"
    for frame in finding.stack[: len(suppression.places) + _FEWEST_PLACES]:
        if frame.owner in (Owner.EXTENSION, Owner.LIBRARY):
            yield f"#     {frame}"
    if not any(frame.owner is Owner.EXTENSION for frame in finding.stack):
        yield "# No frame here is an extension's, so this may suppress others as well."


def _portable(place: str) -> str:
    """Return a place without the directory, which is another on each machine."""
    kind, _, name = place.partition(":")
    return f"obj:*/{PurePath(name).name}" if kind == "obj" and "/" in name else place


def _outermost(stack: Stack, owner: Owner) -> int:
    """Return the number of frames down to the last one of an owner, 0 if there is none."""
    ends = [index for index, frame in enumerate(stack, 1) if frame.owner is owner]
    return ends[-1] if ends else 0
