"""Memcheck in this process, as sessions have it set up one after another."""

from __future__ import annotations

import atexit
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_valgrind import client
from pytest_valgrind.false_alarms.repairs import apply_late
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.suppressions import count, unused
from pytest_valgrind.memcheck.monitor import MemcheckMonitor
from pytest_valgrind.memcheck.valgrind_info import confirmed, find_valgrind_info

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.findings.finding import Finding
    from pytest_valgrind.findings.suppressions import Named
    from pytest_valgrind.launching.run_directory import RunDirectory
    from pytest_valgrind.settings import Settings

#: Tells the user what takes so long.
Say = Callable[[str], None]


class Memcheck:
    """What is set once stays set: options of valgrind's, repairs, numbers of functions.

    :param settings: of the first session.
    :param run_directory: what the launcher has handed over, None if there was no launcher.
    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """

    def __init__(self, settings: Settings, run_directory: RunDirectory | None) -> None:
        self._run_directory = run_directory
        self.info = find_valgrind_info(None if run_directory else settings.log)
        errors_at_start = client.count_errors()
        self.monitor = MemcheckMonitor(self.info, settings.leak_kinds)
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
            self._children = Children(self.monitor, owns_logs=bool(is_own))
        return self._children

    def given_suppressions(self, settings: Settings) -> set[Path]:
        """Return the files that the user gave."""
        given = {*settings.suppressions, *map(Path, self.info.values("--suppressions"))}
        return given - {self._run_directory.noise} if self._run_directory else given

    def header(self) -> Iterator[str]:
        """Yield which valgrind checks, with which options, and where its log is."""
        info = self.info
        yield f"valgrind: options {shlex.join(info.options) or 'unknown'}"
        yield f"valgrind: log {info.log or 'not in a file, so findings come without excerpt'}"
        if self.noise is not None:
            yield f"valgrind: {plural(count(self.noise), 'suppression')} for interpreter errors"

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
                "object of Python's looks possibly lost: leave them out of valgrind_leak_kinds"
            )
        if bool(settings.args) and settings.args != self._args:
            found.append("valgrind_args came too late, as valgrind already runs")
        return found

    def unused_suppressions(self, settings: Settings) -> list[Named]:
        """Return those in the user's files that were of no use; look for valgrind's limits."""
        self.monitor.look_for_limits()
        used = self.monitor.used_suppressions()
        given = self.given_suppressions(settings)
        if self._children:
            self.monitor.weaknesses.update(self._children.still_alive)
            used = None if used is None else used | self._children.used_suppressions
        if used is None and given:
            self.monitor.weaknesses.add(
                "valgrind does not say which suppressions are in use: give it -s"
            )
        return [] if used is None else list(unused(sorted(given), used))

    @property
    def kept_log(self) -> str:
        """The log's path, empty if nobody needs to look at it."""
        is_kept = self._run_directory is None or self._run_directory.log_is_kept
        return str(self.info.log) if self.info.log and is_kept else ""

    def _number_functions(self) -> None:
        """Have native stacks name functions of Python's, or say why they cannot."""
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
