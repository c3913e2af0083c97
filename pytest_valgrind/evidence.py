"""What valgrind counted, and what its log shows of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_valgrind import client
from pytest_valgrind.contexts import Contexts
from pytest_valgrind.findings import Finding, Kind
from pytest_valgrind.log import Log
from pytest_valgrind.objects import ObjectFiles
from pytest_valgrind.parser import Line, Parser, read_lines

_NOTHING: tuple[Finding, ...] = ()


class Evidence:
    """Turns movements of valgrind's counters into findings.

    Where there is no log, what the counters say is all there is to say.

    :param log: valgrind's log, None where it goes to a terminal or a pipe.
    :param leak_kinds: the kinds of leak that count.
    :raises OSError: if the log cannot be read.
    """

    def __init__(self, log: Path | None, leak_kinds: frozenset[Kind]) -> None:
        self._log = Log(log) if log else None
        self._leak_kinds = leak_kinds
        self._pid = os.getpid()
        objects = ObjectFiles()
        self._parser = Parser(objects.at, objects.owner)
        self._contexts = Contexts(self._ask_for_contexts, self._ask_for_last_error)
        self._errors = client.count_errors()
        self._leaked = 0
        self.weaknesses: set[str] = set()
        if self._errors:
            self._contexts.catch_up(self._new_findings())
        self.skip()

    def skip(self) -> None:
        """Pass over what the log shows by now."""
        if self._log:
            self._log.skip()

    def errors(self, where: str, phase: str) -> Sequence[Finding]:
        """Return the errors since the last call; this runs several times for every test.

        :param where: the test or module to which they belong.
        :param phase: of the test.
        """
        count = client.count_errors()
        if count == self._errors:
            return _NOTHING
        moved = count - self._errors
        self._errors = count
        shown = [finding for finding in self._new_findings() if not finding.kind.is_leak]
        found = self._contexts.occurred(moved, shown, where)
        if self._log is None:
            message = "Valgrind counted an error, and there is no log file that shows it."
            found = [replace(finding, message=message) for finding in found]
        else:
            self._look_for_mishaps(self._log)
        return [
            finding if finding.shown_in != where else replace(finding, shown_in="")
            for finding in (replace(finding, phase=phase) for finding in found)
        ]

    def leaks(self) -> list[Finding]:
        """Check for leaks and return the loss records that grew since the last such check."""
        client.leak_check()
        return self._lost(client.count_leaks().leaked, self._new_lines())

    def printed(self, request: Callable[[], object]) -> list[Line]:
        """Return the lines that a request prints; what is new before them is passed over."""
        self.skip()
        request()
        return self._new_lines()

    def mark(self) -> int:
        """Return where the log ends."""
        return self._log.size() if self._log else 0

    def leaks_of_clone(self, pid: int, mark: int, leaked: int) -> list[Finding]:
        """Return the loss records that a clone has printed.

        :param mark: where the log ended when it began.
        :param leaked: the bytes that it found definitely or indirectly lost.
        """
        text = self._log.read_from(mark, pid) if self._log else ""
        # Most of it may be others'.
        own = f"=={pid}=="
        lines = "\n".join(line for line in text.splitlines() if own in line)
        return self._lost(leaked, [line for line in read_lines(lines) if line.pid == pid])

    def forget_clone(self, pid: int) -> None:
        """Leave nothing behind of a clone that was of no use."""
        if self._log:
            self._log.forget(pid)

    def _lost(self, leaked: int, lines: list[Line]) -> list[Finding]:
        grew, self._leaked = leaked - self._leaked, leaked
        found = [
            replace(finding, phase="gc")
            for finding in self._parser.findings(lines)
            if finding.kind in self._leak_kinds
        ]
        if grew > 0 and not lines and Kind.DEFINITE in self._leak_kinds:
            message = "Memory was lost, and there is no log that shows where it is from."
            found = [Finding(Kind.DEFINITE, message, bytes=grew, blocks=1, phase="gc")]
        if grew > 0 and self._log:
            self._look_for_mishaps(self._log)
        return found

    def _new_findings(self) -> list[Finding]:
        return self._parser.findings(self._new_lines())

    def _ask_for_contexts(self) -> list[Finding]:
        return self._parser.contexts(self._answer("v.info all_errors"))

    def _ask_for_last_error(self) -> list[Finding]:
        return self._parser.findings(self._answer("v.info last_error"))

    def _answer(self, command: str) -> list[Line]:
        return self.printed(lambda: client.monitor_command(command))

    def _new_lines(self) -> list[Line]:
        if self._log is None:
            return []
        return [line for line in read_lines(self._log.read()) if line.pid == self._pid]

    def _look_for_mishaps(self, log: Log) -> None:
        if log.was_truncated:
            self.weaknesses.add(
                f"valgrind's log {log.path} was truncated while tests ran, so findings may be "
                "without evidence: leave it alone until the end"
            )
        if os.statvfs(log.path).f_bavail == 0:
            self.weaknesses.add(
                f"the disk of valgrind's log {log.path} is full, so findings are without evidence: "
                "make room, or put the log elsewhere with --valgrind-args=--log-file=FILE"
            )
