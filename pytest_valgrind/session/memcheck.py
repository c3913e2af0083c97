"""Memcheck in this process, as sessions have it set up one after another."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_valgrind import client
from pytest_valgrind.false_alarms.repairs import apply_late
from pytest_valgrind.findings.finding import Kind
from pytest_valgrind.memcheck.monitor import Evidence
from pytest_valgrind.memcheck.valgrind_info import confirmed, find_host

if TYPE_CHECKING:
    from pytest_valgrind.children.processes import Children
    from pytest_valgrind.findings.finding import Finding
    from pytest_valgrind.launching.run_directory import Handover
    from pytest_valgrind.settings import Settings

#: Tells the user what takes so long.
Say = Callable[[str], None]


class Memcheck:
    """What is set once stays set: options of valgrind's, repairs, numbers of functions.

    :param settings: of the first session.
    :param handover: what the launcher has handed over, None if there was no launcher.
    :raises pytest.UsageError: if this process cannot be checked as asked for.
    """

    def __init__(self, settings: Settings, handover: Handover | None) -> None:
        self._handover = handover
        self.host = find_host(None if handover else settings.log)
        errors_at_start = client.count_errors()
        self.evidence = Evidence(self.host, settings.leak_kinds)
        #: Suppressions of the interpreter's own errors, None if there are none.
        self.noise: str | None = None
        if handover and handover.noise.exists():
            self.noise = handover.noise.read_text(encoding="utf-8")
        self._knows_noise = handover is not None and not settings.all_errors
        self._suppressions = set(map(Path, self.host.values("--suppressions")))
        #: Options for valgrind that it was started with.
        self._args = settings.args if handover else ()
        self._numbers_functions = False
        self._children: Children | None = None
        if handover is None:
            apply_late(errors_at_start)

    def begin(self, settings: Settings, say: Say) -> Sequence[Finding]:
        """Set memcheck up for a session, and return the errors since the last one.

        :raises pytest.UsageError: if this process cannot be checked as asked for.
        """
        found = self.evidence.errors("", "")
        if settings.log and self._handover is None:
            confirmed(settings.log, self.host.log)
        if settings.python_frames and not self._numbers_functions:
            self._number_functions()
        self.evidence.leak_kinds = settings.leak_kinds
        self.evidence.asks_for_suppressions = bool(self.given_suppressions(settings))
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
        if settings.gen_suppressions and "--gen-suppressions=all" not in self.host.options:
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

        handover = self._handover
        is_launched = handover is not None and self.host.value("--trace-children") == "yes"
        trace_children.follow(
            settings, self.host, is_ready=is_launched or self._children is not None
        )
        if self._children:
            self._children.begin()
        else:
            log = self.host.log
            is_own = handover is not None and log and log.parent == handover.directory
            self._children = Children(self.evidence, owns_logs=bool(is_own))
        return self._children

    def given_suppressions(self, settings: Settings) -> set[Path]:
        """Return the files that the user gave."""
        given = {*settings.suppressions, *map(Path, self.host.values("--suppressions"))}
        return given - {self._handover.noise} if self._handover else given

    def came_too_late(self, settings: Settings) -> bool:
        """Whether a session has options for valgrind with which it was not started."""
        return bool(settings.args) and settings.args != self._args

    def _number_functions(self) -> None:
        """Have native stacks name functions of Python's, or say why they cannot."""
        from pytest_valgrind.memcheck.python_functions import NumberedFunctions

        self._numbers_functions = True
        try:
            functions = NumberedFunctions(self._handover.functions if self._handover else None)
        except (OSError, RuntimeError) as error:
            self.evidence.weaknesses.add(f"--valgrind-python-frames: {error}")
        else:
            # Until then, blocks have the numbers of functions in their stacks.
            atexit.register(functions.close)
            self.evidence.name_functions(functions)

    def _suppress_noise(self, settings: Settings, say: Say) -> None:
        """Do what the launcher has not done, or for a session that wanted all errors."""
        if settings.all_errors:
            if self.noise is not None:
                self.evidence.weaknesses.add(
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
            self.host.program, self.host.options, os.environ, version=self.host.number
        )
        self.noise = calibration.noise(say, anew=settings.calibrate)
        if self.noise:
            with tempfile.NamedTemporaryFile("w", suffix=".supp", encoding="utf-8") as file:
                file.write(self.noise)
                file.flush()
                client.change_option(f"--suppressions={file.name}")
            self.evidence.skip()
