"""The names of valgrind's logs: which log is of which process.

They are made from a template (``--log-file`` in valgrind's manual, 2.6.1, and expand_file_name in
m_options.c of its source). In it ``%p`` stands for the process id, ``%q{NAME}`` for a variable of
the environment, ``%n`` for a number that goes up within a process, and ``%%`` for a per cent sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

_PART = r"%(?P<sort>[pn%])|%q\{(?P<variable>[^}]*)\}|(?P<text>[^%]+)"


class _Part(NamedTuple):
    """A part of a template."""

    sort: str  #: p, n or q; empty for what stands for itself
    text: str = ""  #: that, or the name of a variable


class LogNames:
    """The mapping between processes and their logs.

    :param parts: of a template, without variables.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        # Valgrind makes the name of a fork's log twice, first to see whether it is another.
        self._numbers_before_fork = sum(part.sort == "n" for part in parts)

    @classmethod
    def expected(cls, template: str, variables: Mapping[str, str]) -> LogNames:
        """Return the names of the logs of processes that will be started.

        :param variables: of their environment.
        """
        return cls(
            [
                _Part("", variables.get(part.text, "")) if part.sort == "q" else part
                for part in _parts(template)
            ]
        )

    @classmethod
    def found(cls, template: str, log: Path, pid: int) -> LogNames | None:
        """Return the names of the logs by that of one process.

        Its environment, its directory and links may be others than when it was started.

        :param log: of the process.
        :return: None if the names of files do not tell processes apart, or this is none of them.
        """
        file = _of_file(list(_parts(template)))
        pattern = f"(?P<directory>.*/){_pattern(file, str(pid))}"
        match = re.fullmatch(pattern, str(log), re.DOTALL)
        if match is None or not any(part.sort == "p" for part in file):
            return None
        found = [
            _Part("", match[f"q{place}"]) if part.sort == "q" else part
            for place, part in enumerate(file)
        ]
        return cls([_Part("", match["directory"]), *found])

    def of(self, pid: int) -> Path:
        """Return the log of a process that was executed."""
        return Path(_filled(self._parts, str(pid), 0))

    def of_fork(self, pid: int) -> Path:
        """Return the log of a process that was forked, and has executed nothing since."""
        return Path(_filled(self._parts, str(pid), self._numbers_before_fork))

    @property
    def template_of_forks(self) -> str:
        """The same as a template, with ``%p`` and ``%%`` only."""
        parts = [part if part.sort else _Part("", escaped(part.text)) for part in self._parts]
        return _filled(parts, "%p", self._numbers_before_fork)

    @cached_property
    def _name(self) -> re.Pattern[str]:
        return re.compile(_pattern(_of_file(self._parts), r"\d+"), re.DOTALL)

    def pid_in(self, name: str) -> int | None:
        """Return the process of a log by the name of the file, None if it is none."""
        match = self._name.fullmatch(name)
        return int(match["pid"]) if match else None


def tells_apart(template: str) -> bool:
    """Whether the names of files tell processes apart.

    A directory would have to be there before the process.
    """
    return any(part.sort == "p" for part in _of_file(list(_parts(template))))


def escaped(text: str) -> str:
    """Return the template for what shall stand for itself."""
    return text.replace("%", "%%")


def _parts(template: str) -> Iterator[_Part]:
    for match in re.finditer(_PART, template):
        if match["variable"] is not None:
            yield _Part("q", match["variable"])
        elif match["sort"] in ("p", "n"):
            yield _Part(match["sort"])
        else:
            yield _Part("", match["text"] or "%")


def _of_file(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts of the last name in a path."""
    file: list[_Part] = []
    for part in reversed(parts):
        if not part.sort and "/" in part.text:
            return [_Part("", part.text.rpartition("/")[2]), *file]
        file.insert(0, part)
    return file


def _pattern(parts: Sequence[_Part], pid: str) -> str:
    """Return the regular expression of a name.

    :param pid: that of the process id, which is its group "pid"; the value of a variable is the
        group "q" with the place of the part.
    """
    pattern = ""
    for place, part in enumerate(parts):
        if part.sort == "p":
            pattern += "(?P=pid)" if "(?P<pid>" in pattern else f"(?P<pid>{pid})"
        elif part.sort == "q":
            pattern += f"(?P<q{place}>.*)"
        else:
            pattern += r"\d+" if part.sort else re.escape(part.text)
    return pattern


def _filled(parts: Sequence[_Part], pid: str, number: int) -> str:
    """Return the name of a process's log.

    :param number: the last that was made.
    """
    text = ""
    for part in parts:
        number += part.sort == "n"
        text += {"p": pid, "n": str(number)}.get(part.sort, part.text)
    return text
