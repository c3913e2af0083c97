"""What valgrind counted, and what its log shows of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pytest_valgrind import client
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.memcheck.block_list import BLOCKS, Objects, objects_by_record, record_number
from pytest_valgrind.memcheck.error_contexts import Contexts
from pytest_valgrind.memcheck.log_file import Log
from pytest_valgrind.memcheck.log_lines import Line, read_lines
from pytest_valgrind.memcheck.log_names import escaped
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.memcheck.parser import Parser, used_suppressions
from pytest_valgrind.memcheck.python_functions import PythonFunctions
from pytest_valgrind.memcheck.valgrind_info import ValgrindInfo

_NOTHING: tuple[Finding, ...] = ()
_ALL_ERRORS = "v.info all_errors"
_OPEN_DESCRIPTORS = "v.info open_fds"
_GROWN = "leak_check full kinds all increased unlimited"
#: What valgrind prints when it reaches a limit (m_errormgr.c in its source), and what it means.
_LIMITS = {
    "I'm not reporting any more.": "valgrind reached its limit of errors and has looked for none "
    "since, so that tests passed unchecked: give it --error-limit=no",
    "will still be recorded, but in less": "valgrind has shown 100 different errors and leaks, and "
    "tells errors apart by two stack frames from there on, so that one may hide another: mend or "
    "suppress some",
}


class MemcheckMonitor:
    """Turns movements of valgrind's counters into findings.

    Where there is no log, what the counters say is all there is to say.

    :param info: the valgrind; its log is None where it goes to a terminal or a pipe.
    :param leak_kinds: the kinds of leak that count.
    :param functions: Python functions, by the numbers in stacks.
    :raises OSError: if the log cannot be read.
    """

    def __init__(
        self,
        info: ValgrindInfo,
        leak_kinds: frozenset[Kind],
        functions: PythonFunctions | None = None,
    ) -> None:
        self.info = info
        self._log = Log(info.log, info.log_names) if info.log else None
        self.leak_kinds = leak_kinds
        self._pid = os.getpid()
        self._objects = ObjectFiles()
        self.name_functions(functions)
        self._contexts = Contexts(self._ask_for_contexts, self._ask_for_last_error)
        self._errors = client.count_errors()
        self._leaked = 0
        self.weaknesses: set[str] = set()
        #: Whether it is to be known which suppressions are in use.
        self.asks_for_suppressions = False
        self._used_by_clones: set[str] = set()
        #: Process ids of clones and other forks of the plugin's own, which are no test's.
        self.own_processes: set[int] = set()
        if self._errors:
            self._contexts.catch_up(self._new_findings())
        self.skip()

    def name_functions(self, functions: PythonFunctions | None) -> None:
        """Have stacks name Python functions from now on."""
        self.functions = functions
        objects, markers = self._objects, self.info.error_markers
        self._parser = Parser(objects.at, objects.owner, markers, functions)

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
        shown = [finding for finding in self._new_findings() if finding.kind.is_counted]
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
        return self._lost(client.count_leaks().leaked, list(self._new_lines()))

    def grown(self) -> list[Finding]:
        """Return the loss records that grew since the last check, of whatever kind.

        What is reachable is among them.
        """
        return list(self._parser.findings(self._answer(_GROWN)))

    def in_fork(self, pid: int) -> MemcheckMonitor:
        """Return a monitor for a fork of this process, in which it is called.

        :param pid: of the fork.
        """
        info = self.info
        if info.log_names and info.logs_processes_apart:
            info = info._replace(log=info.log_names.of_fork(pid))
        return MemcheckMonitor(info, frozenset(), self.functions)

    def descriptors(self) -> list[Finding]:
        """Return the descriptors that are open, without those that were inherited.

        Valgrind must track them. The errors of before must have been taken.
        """
        found = list(self._parser.descriptors(self._answer(_OPEN_DESCRIPTORS)))
        # Newer valgrinds count each that they list as an error.
        self._errors = client.count_errors()
        return found

    def printed(self, request: Callable[[], object]) -> list[Line]:
        """Return the lines that a request prints; what is new before them is passed over."""
        self.skip()
        request()
        return list(self._new_lines())

    def hang(self, mark: int) -> Finding | None:
        """Return the stack that was printed because the test hangs; the last, if several were.

        :param mark: where the log ended before.
        """
        lines = read_lines(self._log.read_from(mark, self._pid) if self._log else (), self._pid)
        found = [found for found in self._parser.findings(lines) if found.kind is Kind.TIMEOUT]
        return found[-1] if found else None

    @property
    def log_of_clone(self) -> str:
        """The template of a clone's log, with ``%p`` and ``%%`` only; empty if there is none."""
        if self.info.log is None:
            return ""
        if self.info.log_names and self.info.logs_processes_apart:
            return self.info.log_names.template_of_forks
        return escaped(str(self.info.log))

    def mark(self) -> int:
        """Return where the log ends."""
        return self._log.size() if self._log else 0

    def leaks_of_clone(self, pid: int, mark: int, leaked: int) -> list[Finding]:
        """Return the loss records that a clone has printed.

        :param mark: where the log ended when it began.
        :param leaked: the bytes that it found definitely or indirectly lost.
        """
        text = self._log.read_from(mark, pid) if self._log else ()
        lines = list(read_lines(text, pid))
        ends = (n for n, line in enumerate(lines) if line.text == BLOCKS)
        end = next(ends, len(lines))
        objects = objects_by_record(lines[end:])
        if self.asks_for_suppressions:
            self._used_by_clones |= used_suppressions(lines[end:])
        return [
            _with_objects(found, objects.get(record_number(found.message) or 0))
            for found in self._lost(leaked, lines[:end])
        ]

    def forget_clone(self, pid: int) -> None:
        """Leave nothing behind of a clone that was of no use."""
        if self._log:
            self._log.forget(pid)

    def _lost(self, leaked: int, lines: list[Line]) -> list[Finding]:
        grew, self._leaked = leaked - self._leaked, leaked
        found = [
            replace(finding, phase="gc")
            for finding in self._parser.findings(lines)
            if finding.kind in self.leak_kinds
        ]
        if grew > 0 and not lines and Kind.DEFINITE in self.leak_kinds:
            message = "Memory was lost, and there is no log that shows where it is from."
            found = [Finding(Kind.DEFINITE, message, bytes=grew, blocks=1, phase="gc")]
        if grew > 0 and self._log:
            self._look_for_mishaps(self._log)
        return found

    def used_suppressions(self) -> set[str] | None:
        """Return name, file and line of the suppressions in use, None if it is not known."""
        if self._log is None or not self.info.lists_errors:
            return None
        return self._used_by_clones | used_suppressions(self._answer(_ALL_ERRORS))

    def note_suppressions(self) -> None:
        """Have a clone, which knows most at its end, print which suppressions it used."""
        if self.asks_for_suppressions and self.info.lists_errors:
            client.monitor_command(_ALL_ERRORS)

    def look_for_limits(self) -> None:
        """Look in the log for messages that valgrind has reached one of its limits."""
        if self._log and self._errors:
            self.weaknesses.update(_LIMITS[words] for words in self._log.find(*_LIMITS))

    def _new_findings(self) -> Iterator[Finding]:
        return self._parser.findings(self._new_lines())

    def _ask_for_contexts(self) -> list[Finding]:
        return list(self._parser.contexts(self._answer(_ALL_ERRORS)))

    def _ask_for_last_error(self) -> list[Finding]:
        return list(self._parser.findings(self._answer("v.info last_error")))

    def _answer(self, command: str) -> list[Line]:
        return self.printed(lambda: client.monitor_command(command))

    def _new_lines(self) -> Iterator[Line]:
        return read_lines(self._log.read() if self._log else (), self._pid)

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


def _with_objects(finding: Finding, objects: Objects | None) -> Finding:
    if objects is None:
        return finding
    return replace(finding, objects=tuple(objects.described), types=objects.types)
