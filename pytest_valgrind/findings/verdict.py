"""From findings and a test's markers to an outcome."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from enum import Enum
from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.markers import KNOWN_ERROR, KNOWN_LEAK, Mark, reason_of


class Outcome(Enum):
    """What valgrind has to say about a test."""

    CLEAN = "clean"
    FAILED = "failed"
    KNOWN = "known"


#: The header of what is no engine's: resources that were left.
LEFTOVER = "[LEFTOVER]"
_CRASH = "CRASH"
_HANG = "TIMEOUT"


class Verdict(NamedTuple):
    """The outcome, and the words that go with it."""

    outcome: Outcome
    header: str = ""
    reason: str = ""
    #: Markers of a known defect that did not occur.
    unused_markers: tuple[str, ...] = ()
    #: Those of one that did.
    used_markers: tuple[str, ...] = ()
    #: Whether the process died in the test.
    ends_process: bool = False

    @property
    def is_crash(self) -> bool:
        """Whether it died by itself, and was not ended because the test hung."""
        return self.ends_process and self.header.endswith(f" {_CRASH}]")

    @property
    def property_name(self) -> str:
        """The name of the test's property in JUnit XML."""
        if self.header == LEFTOVER:
            return "resources"
        return "heapcheck" if self.header.startswith("[HEAP ") else "valgrind"

    def knows(self, finding: Finding) -> bool:
        """Whether a marker or the baseline says that there is such a finding."""
        return bool(finding.known) or self.is_marked(finding)

    def is_marked(self, finding: Finding) -> bool:
        """Whether a marker says so, whatever the baseline does."""
        return _marker_for(finding) in self.used_markers


def judge(  # noqa: PLR0913
    findings: Iterable[Finding],
    markers: Callable[[str], Mark | None],
    *,
    checked_for_leaks: bool = True,
    completed: bool = True,
    strict: bool = False,
    used: Container[str] = (),
    label: str = "VALGRIND",
) -> Verdict:
    """Judge a test.

    :param findings: those of the test, noise left out.
    :param markers: the test's closest marker of a name.
    :param completed: whether the test ran to its end, so that a known defect could occur.
    :param used: markers of the test that say something known of a fixture.
    :param label: of the engine, for the header.
    """
    findings = list(findings)
    markers_for_findings = {_marker_for(finding) for finding in findings}
    for_new = {_marker_for(finding) for finding in findings if not finding.known}
    found = {name: name in markers_for_findings for name in (KNOWN_ERROR, KNOWN_LEAK)}
    known = {name: markers(name) for name in found}
    could_occur = {KNOWN_ERROR: completed, KNOWN_LEAK: completed and checked_for_leaks}
    unused = tuple(
        name
        for name, mark in known.items()
        if mark and not found[name] and could_occur[name] and name not in used
    )
    used = tuple(name for name, mark in known.items() if mark and found[name])
    if findings:
        hangs = None in for_new
        header = _header(findings, label)
        if hangs or any(name in for_new and known[name] is None for name in found):
            return Verdict(Outcome.FAILED, header, unused_markers=unused, used_markers=used)
        if not (unused and strict):
            reasons = [reason_of(mark) for name, mark in known.items() if mark and found[name]]
            reasons += dict.fromkeys(
                finding.known
                for finding in findings
                if known.get(_marker_for(finding) or "") is None
            )
            reason = ", ".join(reason for reason in reasons if reason)
            return Verdict(Outcome.KNOWN, header, reason, unused, used)
    if unused and strict:
        names = " and ".join(unused)
        return Verdict(
            Outcome.FAILED,
            f"[{label} STRICT]",
            f"Unused marker {names}: no such finding.",
            unused,
            used,
        )
    return Verdict(Outcome.CLEAN, unused_markers=unused)


def crashed(words: str, *, hung: bool = False, label: str = "VALGRIND") -> Verdict:
    """Return the verdict on a test in which the process died.

    :param words: how it died.
    :param hung: whether it was ended as the test hung.
    :param label: of the engine.
    """
    header = f"[{label} {_HANG if hung else _CRASH}]"
    return Verdict(Outcome.FAILED, header, words, ends_process=True)


def _marker_for(finding: Finding) -> str | None:
    """Return the marker that makes a finding known; a test that hangs is never that."""
    if finding.kind is Kind.TIMEOUT:
        return None
    return KNOWN_LEAK if finding.kind.is_leak else KNOWN_ERROR


# What the guards of the native engine see.
_OF_GUARDS = {
    Kind.OVERFLOW: "OVERFLOW",
    Kind.WRITE_AFTER_FREE: "WRITE AFTER FREE",
    Kind.DOUBLE_FREE: "DOUBLE FREE",
    Kind.NATIVE_INVALID_FREE: "INVALID FREE",
}
_ORDER = ("ERROR", *_OF_GUARDS.values(), "LEAK", "TIMEOUT")


def _header(findings: Iterable[Finding], label: str) -> str:
    words: dict[str, set[str]] = {}
    for finding in findings:
        words.setdefault(finding.engine or label, set()).add(_word(finding))
    parts = [
        f"{engine} {'+'.join(sorted(words[engine], key=_ORDER.index))}"
        for engine in sorted(words, key=lambda engine: engine != label)
    ]
    return f"[{', '.join(parts)}]"


def _word(finding: Finding) -> str:
    if finding.kind is Kind.TIMEOUT:
        return "TIMEOUT"
    return "LEAK" if finding.kind.is_leak else _OF_GUARDS.get(finding.kind, "ERROR")
