"""The baseline: what was found when a project began to look, and fails no test until it is mended.

A finding is known by its test and its defect (fingerprint.py), whatever the numbers of lines are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.fingerprint import Identity, identity
from pytest_valgrind.findings.kind import Kind

FORMAT, VERSION = "pytest-valgrind-baseline", 1
#: A process that dies or hangs stops other tests from being checked: nobody can get used to it.
_NEVER = (Kind.FATAL_SIGNAL, Kind.TIMEOUT)


class Known(NamedTuple):
    """A finding that was there before."""

    #: Empty if it is not known which of several tests it was.
    test: str
    #: What has found it: an engine, the hunt, or the watch over resources.
    check: str
    identity: Identity
    #: It in one line, for who reads the file.
    title: str = ""

    def is_like(self, test: str, other: Identity) -> bool:
        """Whether a finding of a test is this one: by the objects' types, else by its stack."""
        own = self.identity
        if self.test != test or own.kind != other.kind:
            return False
        if own.frames and other.frames and own.frames[0] != other.frames[0]:
            return False
        if own.types and other.types:
            # Callers may have changed; of types that are lost together, a run may show some.
            return set(other.types) <= set(own.types)
        if own.frames or other.frames:
            return own.frames == other.frames
        return own.types == other.types


class Baseline:
    """What is known, from a file.

    :param takes_all: whether whatever is found is to be known from now on.
    """

    def __init__(self, path: Path, known: Iterable[Known] = (), *, takes_all: bool = False) -> None:
        self.path = path
        self.known = tuple(known)
        self.takes_all = takes_all
        self._by_test: dict[str, list[Known]] = {}
        for each in self.known:
            self._by_test.setdefault(each.test, []).append(each)

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a file.

        :raises OSError: if it cannot be read.
        :raises ValueError: if it is no such file, with the rest of a sentence.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if (document["format"], document["version"]) != (FORMAT, VERSION):
                raise KeyError
            return cls(path, [_known(values) for values in document["findings"]])
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f": {path} is no baseline of this version; --memory-baseline-update writes one"
            ) from None

    @property
    def reason(self) -> str:
        """Why a finding that is in it fails nothing."""
        return f"in the baseline {self.path.name}"

    def knows(self, test: str, same: Identity) -> bool:
        """Whether a finding was there before.

        :param test: empty if it is not known which of several tests it was.
        """
        return self.takes_all or any(
            known.is_like(test, same) for known in self._by_test.get(test, ())
        )

    def marked(self, test: str, findings: Iterable[Finding]) -> list[Finding]:
        """Return findings of a test, with what is known marked as such."""
        if not (self.takes_all or self._by_test):
            return list(findings)
        return [
            replace(found, known=self.reason)
            if found.kind not in _NEVER and self.knows(test, identity(found))
            else found
            for found in findings
        ]


def write(path: Path, known: Iterable[Known]) -> None:
    """Write a baseline: a finding a line, in the order of tests, so that changes can be read.

    :raises OSError: if it cannot be written.
    """
    lines = sorted({json.dumps(_values(each)) for each in known})
    head = f'{{"format": "{FORMAT}", "version": {VERSION}, "findings": ['
    body = ",\n".join(lines)
    path.write_text(f"{head}\n{body}\n]}}\n" if lines else f"{head}]}}\n", encoding="utf-8")


def _values(known: Known) -> dict[str, Any]:
    return {
        "test": known.test,
        "check": known.check,
        **known.identity._asdict(),
        "title": known.title,
    }


def _known(values: Mapping[str, Any]) -> Known:
    same = Identity(values["kind"], tuple(values["frames"]), tuple(values["types"]))
    return Known(values["test"], values["check"], same, values.get("title", ""))


#: What holds where there is none.
NONE = Baseline(Path())
