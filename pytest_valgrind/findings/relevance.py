"""Which findings are the user's concern."""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import fnmatchcase

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.ignore_rules import IgnoreRule, rule_for
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner

# What allocates bytes for others; PyObject_Malloc and the like make objects.
_RAW_ALLOCATOR = r"_?PyMem_\w+"


class Relevance(Enum):
    """Whose concern a finding is."""

    OWN = "own"
    #: Errors of the interpreter itself.
    INTERPRETER = "interpreter only"
    #: Those of code that is not meant.
    ELSEWHERE = "other code"


class Scope:
    """Tells the findings that fail a test from those that are only listed.

    :param only: globs for object and source files; where there are some, a finding must have a
        frame in a file that fits one of them.
    :param all_errors: whether the interpreter's own errors fail a test, too.
    :param ignore: for leaks that fail none.
    """

    def __init__(
        self,
        only: tuple[str, ...] = (),
        *,
        all_errors: bool = False,
        ignore: tuple[IgnoreRule, ...] = (),
    ) -> None:
        self._only = only
        self._ignore = ignore
        self._all_errors = all_errors

    def relevance(self, finding: Finding) -> Relevance:
        """Return whose concern a finding is."""
        if finding.kind is Kind.TIMEOUT:
            return Relevance.OWN
        if finding.is_interpreter_noise and not self._all_errors:
            return Relevance.INTERPRETER
        return Relevance.OWN if self._is_meant(finding) else Relevance.ELSEWHERE

    def is_own(self, finding: Finding, nodeid: str = "") -> bool:
        """Whether it is the user's.

        :param nodeid: of its test, empty if it is of none.
        """
        return self.relevance(finding) is Relevance.OWN and self.rule_for(finding, nodeid) is None

    def rule_for(self, finding: Finding, nodeid: str) -> IgnoreRule | None:
        """Return the rule by which it is not reported, None if it is."""
        return rule_for(self._ignore, finding, nodeid)

    def _is_meant(self, finding: Finding) -> bool:
        if not self._only or not finding.stack:  # of what nobody can place, nothing is hidden
            return True
        if finding.kind.is_leak:
            return self._may_have_lost(finding)
        stacks = (finding.stack, *(further.stack for further in finding.further))
        return any(self._fits(frame) for stack in stacks for frame in stack)

    def _may_have_lost(self, leak: Finding) -> bool:
        """Whether a block was allocated by the code that is meant, or is a Python object.

        The reference to an object may have been lost by anybody.
        """
        for frame in leak.stack:
            if frame.owner is Owner.INTERPRETER and not re.fullmatch(
                _RAW_ALLOCATOR, frame.function
            ):
                return True
            if self._fits(frame):
                return True
            if frame.owner is Owner.EXTENSION:
                return False
        return False

    def _fits(self, frame: Frame) -> bool:
        return any(
            _fits(path, glob) for path in (frame.object, frame.file) if path for glob in self._only
        )


def _fits(path: str, glob: str) -> bool:
    """Whether a file or one of its directories fits a glob, from the root or from any directory."""
    return any(fnmatchcase(path, form) for form in (glob, f"*/{glob}", f"{glob}/*", f"*/{glob}/*"))
