"""Rules for leaks that the native engine shall count and not report.

A rule is a line: what is compared, a colon, a glob in which ``*`` stands for anything and ``?`` for
one character, and a reason if there is one::

    type: numpy.dtype[void]         # made once, and kept for ever
    function: PyInit_*
    object: */libfoo.so*
    test: tests/test_caches.py::*
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Owner

_RULE = r"(?P<what>[\w-]+):\s*(?P<glob>(?!#)\S.*?)(?:\s+#\s*(?P<reason>.*))?\s*"


class IgnoreRule(NamedTuple):
    """A rule, and where it is from."""

    what: str  #: ``type``, ``function``, ``object`` or ``test``
    glob: str
    reason: str = ""
    #: The file and line, if it is from one.
    where: str = ""

    @classmethod
    def of(cls, line: str, where: str = "") -> IgnoreRule:
        """Read a rule.

        :raises ValueError: if it is none, with where it is.
        """
        found = re.fullmatch(_RULE, line.strip())
        if found is None or found["what"] not in _COMPARE:
            kinds = ", ".join(f"'{what}: GLOB'" for what in _COMPARE)
            place = f"{where}: " if where else ""
            raise ValueError(f"{place}{line.strip()!r} is no rule: a rule is one of {kinds}")
        return cls(found["what"], found["glob"], found["reason"] or "", where)

    def fits(self, finding: Finding, nodeid: str) -> bool:
        """Whether it is about a leak of a test; the test's name is empty if it is of none."""
        return _COMPARE[self.what](self.glob, finding, nodeid)

    def __str__(self) -> str:
        return f"{self.what}: {self.glob}"


#: What CPython loses on purpose.
BY_DEFAULT: tuple[IgnoreRule, ...] = ()


def rules_in(path: Path) -> Iterator[IgnoreRule]:
    """Yield the rules in a file; lines that begin with ``#`` are comments.

    :raises ValueError: if a line is none.
    :raises OSError: if it cannot be read.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield IgnoreRule.of(line, f"{path}:{number}")


def is_rule(line: str) -> bool:
    """Whether a line looks like a rule, rather than like the name of a file."""
    return line.partition(":")[0].strip() in _COMPARE


def rule_for(rules: Iterable[IgnoreRule], finding: Finding, nodeid: str) -> IgnoreRule | None:
    """Return the first rule by which a leak is not reported, None if there is none.

    Damage to the heap is always reported.
    """
    if not finding.kind.is_leak:
        return None
    return next((rule for rule in rules if rule.fits(finding, nodeid)), None)


def _is_of_type(glob: str, finding: Finding, _nodeid: str) -> bool:
    """Whether all objects are of the type to which references were lost."""
    return bool(finding.types) and all(_fits(name, glob) for name in finding.types)


def _is_of_function(glob: str, finding: Finding, _nodeid: str) -> bool:
    return any(
        _fits(frame.function, glob) for frame in finding.stack if frame.owner is not Owner.PYTHON
    )


def _is_of_object(glob: str, finding: Finding, _nodeid: str) -> bool:
    return any(
        _fits(frame.object, form)
        for frame in finding.stack
        if frame.object
        for form in (glob, f"*/{glob}")
    )


def _is_of_test(glob: str, _finding: Finding, nodeid: str) -> bool:
    return bool(nodeid) and _fits(nodeid, glob)


def _fits(name: str, glob: str) -> bool:
    # Names of types and tests have brackets.
    return fnmatchcase(name, glob.replace("[", "[[]"))


_COMPARE: dict[str, Callable[[str, Finding, str], bool]] = {
    "type": _is_of_type,
    "function": _is_of_function,
    "object": _is_of_object,
    "test": _is_of_test,
}
