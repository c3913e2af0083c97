"""A finding as JSON has it: report-1.schema.json says what each name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.fingerprint import Identity, digest, identity
from pytest_valgrind.findings.stack import Caller, Frame, Owner, PythonLine, Stack
from pytest_valgrind.findings.suppressions import Suppression
from pytest_valgrind.report_files.source_tree import SourceTree
from pytest_valgrind.reporting.text import one_line

#: What JSON can hold of a finding, or of another part of the report.
Record = dict[str, Any]


class FindingRecords:
    """Makes the records of one report.

    :param tree: finds the source files that stacks name.
    :param locations: where each test is, by its name: the file and the line, from 1.
    """

    def __init__(self, tree: SourceTree, locations: Mapping[str, tuple[str, int]]) -> None:
        self._tree = tree
        self._locations = locations
        self.records: list[Record] = []

    def add(  # noqa: PLR0913
        self,
        finding: Finding,
        *,
        status: str,
        place: str,
        tests: Sequence[str],
        check: str,
        header: str = "",
        reason: str = "",
    ) -> None:
        """Add a finding of an engine, or a resource that was left.

        :param place: where it was found, in one of the words of the schema.
        :param check: which of the checks has found it.
        :param header: as the failure has it.
        :param reason: why it is known.
        """
        same = identity(finding)
        kind = finding.kind
        category = "leak" if kind.is_leak else "resource" if kind.is_leftover else "error"
        record = {
            **self._beginning(
                same,
                status=status,
                place=place,
                tests=tests,
                check=_CHECKS.get(finding.engine, check),
                category=category,
                kind=kind.value,
                title=one_line([finding]),
            ),
            "header": header,
            "reason": reason,
            "message": finding.message,
            "phase": finding.phase,
            "fixture": finding.fixture,
            "shown_in": finding.shown_in,
            "made_in": finding.made_in,
            "process": finding.process,
            "doubt": finding.doubt,
            "bytes": finding.bytes,
            "blocks": finding.blocks,
            "count": finding.count,
            "objects": list(finding.objects),
            "types": dict(finding.types),
            "stack": self._stack(finding.stack),
            "further": [
                {"caption": further.caption, "stack": self._stack(further.stack)}
                for further in finding.further
            ],
            "python": [self._line(line) for line in finding.python],
            "python_note": finding.python_note,
            "caller": self._caller(finding.caller),
            "location": self._location(finding, tests),
            "log": finding.raw,
            "suppression": _suppression(finding, ", ".join(tests[:1]) or place),
        }
        self.records.append(_without_empty(record))

    def add_other(  # noqa: PLR0913
        self,
        kind: str,
        title: str,
        *,
        status: str,
        tests: Sequence[str],
        check: str,
        category: str,
        place: str = "test",
        header: str = "",
        message: str = "",
        details: str = "",
        growth: Mapping[str, object] | None = None,
        same: Identity | None = None,
    ) -> None:
        """Add what has no stack: a crash without one, a growth by repetition, a limit.

        :param details: more about it, in lines.
        :param growth: of each counter, for what a hunt has found.
        :param same: what identifies it, if it is not the kind alone.
        """
        record = {
            **self._beginning(
                same or Identity(kind, (), ()),
                status=status,
                place=place,
                tests=tests,
                check=check,
                category=category,
                kind=kind,
                title=title,
            ),
            "header": header,
            "message": message,
            "details": details,
            "growth": dict(growth or {}),
            "location": self._location_of_test(tests),
        }
        self.records.append(_without_empty(record))

    def _beginning(  # noqa: PLR0913
        self,
        same: Identity,
        *,
        status: str,
        place: str,
        tests: Sequence[str],
        check: str,
        category: str,
        kind: str,
        title: str,
    ) -> Record:
        return {
            "id": f"f{len(self.records) + 1}",
            # Of several tests none is known to be the one, and the next group is another.
            "fingerprint": digest(*tests[:1] if len(tests) == 1 else (place,), same.fingerprint),
            "defect": same.fingerprint,
            "identity": {
                "kind": same.kind,
                "frames": list(same.frames),
                "types": list(same.types),
            },
            "status": status,
            "place": place,
            "check": check,
            "category": category,
            "kind": kind,
            "title": title,
            "tests": list(tests),
        }

    def _stack(self, stack: Stack) -> list[Record]:
        return [self._frame(frame) for frame in stack if frame.owner is not Owner.CHECKER]

    def _frame(self, frame: Frame) -> Record:
        file = frame.path or frame.file
        if file and frame.line and frame.owner in (Owner.EXTENSION, Owner.PYTHON):
            file = self._tree.keep_lines(file, frame.line)
        return _without_empty(
            {
                "function": frame.function,
                "file": file,
                "line": frame.line or 0,
                "object": frame.object,
                "owner": frame.owner.value,
            }
        )

    def _line(self, line: PythonLine) -> Record:
        return {
            "function": line.function,
            "file": self._tree.keep_lines(line.file, line.line),
            "line": line.line,
        }

    def _caller(self, caller: Caller | None) -> Record | None:
        return None if caller is None else {**self._line(caller.line), "is_test": caller.is_test}

    def _location(self, finding: Finding, tests: Sequence[str]) -> Record | None:
        """Return the innermost place that is in the repository."""
        stacks = (finding.stack, *(further.stack for further in finding.further))
        for stack in stacks:
            for frame in stack:
                file = frame.path or frame.file
                if frame.owner is Owner.EXTENSION and file and frame.line:
                    inner = self._tree.relative(file)
                    if inner is not None:
                        return {"file": inner, "line": frame.line, "function": frame.function}
        lines = [*finding.python, *([finding.caller.line] if finding.caller else [])]
        for line in lines:
            inner = self._tree.relative(line.file) if line.line else None
            if inner is not None:
                return {"file": inner, "line": line.line, "function": line.function}
        return self._location_of_test(tests)

    def _location_of_test(self, tests: Sequence[str]) -> Record | None:
        for nodeid in tests[:1]:
            if nodeid in self._locations:
                file, line = self._locations[nodeid]
                inner = self._tree.relative(file)
                return None if inner is None else {"file": inner, "line": line}
        return None


def _suppression(finding: Finding, where: str) -> str:
    """Return it as the file of --valgrind-gen-suppressions has it, empty if there is none."""
    suppression = Suppression.of(finding)
    lines = suppression.lines(f"{where}: {finding.kind.value}") if suppression else ()
    return "\n".join(lines)


#: By the labels of engines (``Finding.engine``).
_CHECKS = {"VALGRIND": "valgrind", "HEAP": "heapcheck"}


def _without_empty(record: Record) -> Record:
    """Leave out what says nothing, which is most of what there can be."""
    return {name: value for name, value in record.items() if value or name in _ALWAYS}


_ALWAYS = frozenset(
    {
        "id",
        "fingerprint",
        "defect",
        "identity",
        "status",
        "place",
        "check",
        "category",
        "kind",
        "title",
    }
    | {"tests", "function"}
)
