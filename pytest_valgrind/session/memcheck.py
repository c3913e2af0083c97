"""Memcheck in this process, as sessions have it set up one after another."""

from __future__ import annotations

import atexit
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_valgrind import client
from pytest_valgrind.false_alarms.repairs import apply_late
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.suppressions import count, unused
from pytest_valgrind.memcheck.mode import choose, exact
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.memcheck.valgrind_info import confirmed, find_valgrind_info
from pytest_valgrind.session.timeouts import Timeouts

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.findings.finding import Finding
    from pytest_valgrind.findings.results import Results
    from pytest_valgrind.items.item_numbers import ItemNumbers
    from pytest_valgrind.launching.run_directory import RunDirectory
    from pytest_valgrind.leaks.attribution import LeakAttribution, Mode, ProcessState
    from pytest_valgrind.pinpoint.forked_run import Runs
    from pytest_valgrind.pinpoint.pinpoint import Pinpoint
    from pytest_valgrind.session.engine import LeftOpen, Say
    from pytest_valgrind.settings import Settings

_RULE = "*" * 70


class Memcheck:
    """What is set once stays set: valgrind's options, repairs, numbers of functions.

    :param settings: of the first session.
    :param run_directory: what the launcher has handed over, None if there was no launcher.
    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """

    name = "valgrind"
    spare_seconds = 2.0
    inside = staticmethod(client.inside_test)
    outside = staticmethod(client.outside_tests)
    threads_started = staticmethod(client.threads_started)

    def __init__(self, settings: Settings, run_directory: RunDirectory | None) -> None:
        self._run_directory = run_directory
        self.info = find_valgrind_info(None if run_directory else settings.log)
        errors_at_start = client.count_errors()
        self.monitor = MemcheckMonitor(self.info, settings.leak_kinds)
        self.errors = self.monitor.errors
        self.hints = self.monitor.weaknesses
        #: Suppressions of the interpreter's own errors, None if there are none.
        self.noise: str | None = None
        if run_directory and run_directory.noise.exists():
            self.noise = run_directory.noise.read_text(encoding="utf-8")
        self._knows_noise = run_directory is not None and not settings.all_errors
        self._suppressions = set(map(Path, self.info.values("--suppressions")))
        #: Options for valgrind that it was started with.
        self._args = settings.args if run_directory else ()
        self._numbers_functions = False
        self._children: Children | None = None
        if run_directory is None:
            apply_late(errors_at_start)

    def begin(self, settings: Settings, say: Say) -> Sequence[Finding]:
        """Set memcheck up for a session, and return the errors since the last one.

        :raises pytest.UsageError: if this process cannot be checked as asked for.
        """
        found = self.monitor.errors("", "")
        if settings.log and self._run_directory is None:
            confirmed(settings.log, self.info.log)
        if settings.python_frames and not self._numbers_functions:
            self._number_functions()
        self.monitor.leak_kinds = settings.leak_kinds
        self.monitor.asks_for_suppressions = bool(self.given_suppressions(settings))
        kinds = ",".join(sorted(kind.name.lower() for kind in settings.leak_kinds))
        client.change_option(f"--show-leak-kinds={kinds}")
        # They tell what is possibly lost from what is reachable, and are an eighth of a check.
        is_needed = not settings.leak_kinds <= {Kind.DEFINITE, Kind.INDIRECT}
        client.change_option(f"--leak-check-heuristics={'all' if is_needed else 'none'}")
        # Leaks have a counter of their own; as errors they would be counted twice.
        client.change_option("--errors-for-leak-kinds=none")
        # A forked child would write what nobody reads, amid what is read.
        client.log_forks(False)
        for path in settings.suppressions:
            if path not in self._suppressions:
                client.change_option(f"--suppressions={path}")
                self._suppressions.add(path)
        if settings.gen_suppressions and "--gen-suppressions=all" not in self.info.options:
            client.change_option("--gen-suppressions=all")
        self._suppress_noise(settings, say)
        return found

    def follow_children(self, settings: Settings) -> Children | None:
        """Follow the processes that tests start from here on, or stop it."""
        if not settings.trace_children:
            if self._children:
                client.change_option("--trace-children=no")
            return None
        from pytest_valgrind.children import trace_children
        from pytest_valgrind.children.processes import Children
        from pytest_valgrind.children.traced_logs import TracedLogs

        run_directory = self._run_directory
        is_launched = run_directory is not None and self.info.value("--trace-children") == "yes"
        trace_children.follow(
            settings, self.info, is_ready=is_launched or self._children is not None
        )
        if self._children:
            self._children.begin()
        else:
            log = self.info.log
            is_own = run_directory is not None and log and log.parent == run_directory.directory
            logs = TracedLogs(self.monitor, owns_all=bool(is_own))
            self._children = Children(logs, {logs.own_name})
        return self._children

    def given_suppressions(self, settings: Settings) -> set[Path]:
        """Return the files that the user gave."""
        given = {*settings.suppressions, *map(Path, self.info.values("--suppressions"))}
        return given - {self._run_directory.noise} if self._run_directory else given

    def header(self, mode: Mode, *, is_verbose: bool) -> Iterator[str]:
        """Yield which valgrind checks what, with which options, and where its log is."""
        info = self.info
        memcheck = f"memcheck {info.version}" if info.version else "memcheck"
        suppressions = count(self.noise) if self.noise is not None else 0
        if is_verbose:
            yield f"valgrind: {memcheck}, checking for {mode.description}"
            yield f"valgrind: options {shlex.join(info.options) or 'unknown'}"
            if info.log:
                yield f"valgrind: log {info.log}"
        else:
            counted = f"; {plural(suppressions, 'suppression')}" if suppressions else ""
            more = "options and log" if info.log else "options"
            yield f"valgrind: {memcheck}: {mode.description}{counted}; -v shows {more}"
        if not info.log:
            yield "valgrind: log not in a file, so findings come without excerpt"
        if is_verbose and self.noise is not None:
            yield f"valgrind: {plural(suppressions, 'suppression')} for interpreter errors"

    def weaknesses(self, settings: Settings) -> list[str]:
        """Return what weakens the results of a session, and what to do about it."""
        found = sorted(self.monitor.weaknesses)
        if not client.one_block_per_object():
            found.append(
                "PYTHONMALLOC=malloc is not in force, so Python's objects share blocks in which "
                "valgrind sees neither overruns nor leaks: set it, and leave -E and -I out"
            )
        if Kind.POSSIBLE in settings.leak_kinds:
            found.append(
                "possible leaks are looked for, which takes very long and says little, as every "
                "Python object looks possibly lost: leave them out of valgrind_leak_kinds"
            )
        if bool(settings.args) and settings.args != self._args:
            found.append("valgrind_args came too late, as valgrind already runs")
        return found

    def choose_check(self, settings: Settings, state: ProcessState, workers: int) -> Mode:
        """Return the leak check that was asked for, or the one that can take its place."""
        return choose(settings, self.monitor, state, workers=workers)

    def exact_check(self, settings: Settings, state: ProcessState) -> LeakAttribution:
        """Return a leak check after every test."""
        return exact(self.monitor, state, references=settings.references)

    def timeouts(self, settings: Settings) -> Timeouts:
        """Return what ends tests that run for too long."""
        path = self._run_directory.python_stacks if self._run_directory else None
        return Timeouts(settings.timeout, settings.timeout_factor, self, path)

    def mark(self) -> int:
        """Return where the log ends."""
        return self.monitor.mark()

    def hang(self, mark: int) -> Finding | None:
        """Return the C stack that was printed because the test hangs.

        :param mark: where the log ended before.
        """
        return self.monitor.hang(mark)

    def descriptors(self, item_numbers: ItemNumbers) -> LeftOpen | None:
        """Return what knows open descriptors, None where valgrind does not track them."""
        if not self.info.tracks_descriptors:
            return None
        from pytest_valgrind.memcheck.descriptors import Descriptors

        return Descriptors(self.monitor, item_numbers)

    def pinpoint(self, run_alone: Runs) -> Pinpoint:
        """Return what finds the lines of Python."""
        from pytest_valgrind.pinpoint.memcheck_observer import MemcheckObserver
        from pytest_valgrind.pinpoint.pinpoint import Pinpoint

        return Pinpoint(MemcheckObserver(self.monitor), run_alone)

    def second_runs(self, *_: object) -> None:
        """Return None: stacks tell the test, and --valgrind-exact-rerun settles what they leave."""

    def threads_alive(self, place: int) -> int:  # noqa: ARG002
        """Return how many threads still run that any test has started."""
        return client.threads_alive()

    def test_begins(self, nodeid: str) -> None:
        """Have the log say which test the lines after it are about."""
        client.print_to_log(f"\n{_RULE}\n{nodeid}\n{_RULE}")

    def session_begins(self) -> None:
        """Have stacks of crashes complete, although pytest has enabled faulthandler by now."""
        client.handle_signals_on_stack()

    def can_find_origins(self, settings: Settings) -> bool:
        """Whether a further run may say where values are from, which this one does not."""
        knows = "yes" in self.info.values("--track-origins")
        # What this process starts would run under valgrind itself.
        traces = settings.trace_children or "yes" in self.info.values("--trace-children")
        return settings.origins and not (settings.all_errors or knows or traces)

    def look_back(self, settings: Settings, results: Results) -> None:
        """Find suppressions of the user that were of no use, and limits that valgrind reached."""
        self.monitor.look_for_limits()
        used = self.monitor.used_suppressions()
        given = self.given_suppressions(settings)
        if self._children:
            self.monitor.weaknesses.update(self._children.weaknesses)
            used = None if used is None else used | self._children.used_suppressions
        if used is not None:
            results.unused_suppressions = list(unused(sorted(given), used))
        elif given:
            self.monitor.weaknesses.add(
                "valgrind does not say which suppressions are in use: give it -s"
            )

    def keep_log(self, results: Results) -> None:
        """Keep the log if anything was found, or if the user has valgrind say more."""
        if self._run_directory and (results.anything_found or self.info.says_more):
            self._run_directory.keep_log()

    @property
    def kept_log(self) -> str:
        """The log's path, empty if nobody needs to look at it."""
        is_kept = self._run_directory is None or self._run_directory.log_is_kept
        return str(self.info.log) if self.info.log and is_kept else ""

    def _number_functions(self) -> None:
        """Have C stacks name Python functions, or say why they cannot."""
        from pytest_valgrind.memcheck.python_functions import NumberedFunctions

        self._numbers_functions = True
        try:
            functions = NumberedFunctions(
                self._run_directory.functions if self._run_directory else None
            )
        except (OSError, RuntimeError) as error:
            self.monitor.weaknesses.add(f"--valgrind-python-frames: {error}")
        else:
            # Until then, blocks have the numbers of functions in their stacks.
            atexit.register(functions.close)
            self.monitor.name_functions(functions)

    def _suppress_noise(self, settings: Settings, say: Say) -> None:
        """Do what the launcher has not done, or for a session that wanted all errors."""
        if settings.all_errors:
            if self.noise is not None:
                self.monitor.weaknesses.add(
                    "--valgrind-all-errors came too late, as the interpreter's own errors are "
                    "suppressed already"
                )
            return
        if self._knows_noise:
            return
        self._knows_noise = True
        import tempfile

        from pytest_valgrind.false_alarms.calibration import Calibration

        calibration = Calibration(
            self.info.program, self.info.options, os.environ, version=self.info.number
        )
        self.noise = calibration.noise(say, anew=settings.calibrate)
        if self.noise:
            with tempfile.NamedTemporaryFile("w", suffix=".supp", encoding="utf-8") as file:
                file.write(self.noise)
                file.flush()
                client.change_option(f"--suppressions={file.name}")
            self.monitor.skip()
