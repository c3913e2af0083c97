"""A command that runs once more, under valgrind."""

from __future__ import annotations

import os
import re
import resource
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_valgrind import preload
from pytest_valgrind.children import trace_children
from pytest_valgrind.command import Command
from pytest_valgrind.false_alarms.calibration import Calibration, version_of
from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.launching import preconditions
from pytest_valgrind.launching.launcher import Launch, Start
from pytest_valgrind.launching.run_directory import RunDirectory
from pytest_valgrind.memcheck.log_names import LogNames, escaped
from pytest_valgrind.memcheck.python_functions import PythonFunctions
from pytest_valgrind.memcheck.valgrind_info import options_from_elsewhere
from pytest_valgrind.recovery.leaks_before import LeaksBefore
from pytest_valgrind.recovery.post_mortem import examine
from pytest_valgrind.settings import Settings

# Deep enough to reach from an allocation down to the frame of the test: for a call in a test, a
# fixture, a unittest or a doctest, 6 to 34 C frames of CPython are in between (3.11 to 3.13), or
# 15 to 72 in 3.10, which has some for each call of a Python function, and in debug builds.
_CALLERS = 100 if sys.version_info < (3, 11) or sysconfig.get_config_var("Py_DEBUG") else 50
_DEFAULTS = (
    f"--num-callers={_CALLERS}",
    "--error-limit=no",
    # The plugin checks when it wants to; a check at exit would be for nothing.
    "--leak-check=no",
    # Without it valgrind 3.19 does not list the contexts that a repeated error belongs to.
    "--show-error-list=yes",
    # Frames of an extension that has been unloaded keep their names.
    "--keep-debuginfo=yes",
    # Whole paths of source files, whose lines are then shown.
    "--fullpath-after=",
    # Bytes of freed blocks that are not used again, five times the default: a stale pointer to an
    # old block would hide a lost one at the same address, about one in a hundred.
    "--freelist-vol=100000000",
    # No debugger can attach, and no pipe for one is left behind in /tmp.
    "--vgdb=no",
)
# Valgrind takes descriptors at the top of the limit, and keeps a table up to there; Docker's
# limit of 2^30 is too much for it from 3.21 on ("Private file creation failed").
_MOST_DESCRIPTORS = 1 << 20
# Has memcheck replace the functions of the C and C++ libraries only (valgrind's manual, 2.5).
_NO_INTERCEPTS = "--soname-synonyms=somalloc=nouserintercepts"
_SMALLEST_STACK = 8 << 20  # bytes; Linux's default


class ValgrindLaunch(Launch):
    """A command that runs under valgrind's memcheck."""

    option = "--valgrind"
    starts_slowly = True

    def __init__(self, command: Command, settings: Settings, directory: Path | None = None) -> None:
        super().__init__(command, settings, directory)
        self._valgrind = preconditions.find_valgrind()
        self._noise: str | None = None
        #: What the native engine has found before, None if it was not asked.
        self.leaks_before: LeaksBefore | None = None
        preconditions.refuse_unusable_interpreter(command.words[0])
        preconditions.refuse_what_stands_in_the_way(command.words, settings)
        if settings.trace_children:
            trace_children.refuse_mixed(self._given_template())

    def calibrate(self) -> None:
        """Find out what the interpreter's own errors are, once for all that are launched."""
        self._noise = self._known_noise(self._options("valgrind.log"))

    def prepare(self) -> None:
        """Find that out, and lower the limits."""
        self.calibrate()
        _lower_limits()

    def _start(self, run_directory: RunDirectory, *, holds_interrupts: bool) -> Start:
        template = self._template(run_directory)
        options = self._options(template)
        if self._noise is not None:
            try:
                run_directory.noise.write_text(self._noise, encoding="utf-8")
            except OSError as error:
                raise self._no_room(error) from None
            options.append(f"--suppressions={run_directory.noise}")
        if self.leaks_before is not None:
            try:
                self.leaks_before.write(run_directory.leaks_before)
            except OSError as error:
                raise self._no_room(error) from None
        preloaded = [preload.repairs()]
        if self._settings.counts_memory and self._can_count(options):
            # What counts must stand before what memcheck replaces (csrc/counting_*.c).
            preloaded.append(preload.counting())
            options.append(_NO_INTERCEPTS)
        changes: dict[str, str] = {}
        if self._settings.trace_children:
            options += trace_children.options(self._settings, [*options_from_elsewhere(), *options])
            preloaded.insert(0, preload.children())
            changes = trace_children.environment(self._settings)
        environment = run_directory.environment(preloaded, holds_interrupts=holds_interrupts)
        words = [self._valgrind, *options, *self._command.words]
        return Start(words, {**environment, **changes}, template)

    @staticmethod
    def _can_count(options: Iterable[str]) -> bool:
        """Whether allocators are told from one another by no option of the user."""
        given = _names([*options_from_elsewhere(), *options])
        return preload.counting() is not None and _name(_NO_INTERCEPTS) not in given

    def _confirm(self, start: Start, pid: int, code: int) -> None:
        if self._log(start, pid).exists():
            return
        how = f"ended with exit code {code}" if code >= 0 else f"died of signal {-code}"
        version = version_of(self._valgrind)
        known = f"its version is {version}" if version else "it does not tell its version"
        raise pytest.UsageError(
            f"--valgrind: valgrind did not start: {self._valgrind} {how} without a log, and "
            f"{known}; if it has said why, that is above."
        )

    def _examine(self, start: Start, pid: int, code: int, run_directory: RunDirectory) -> Crash:
        functions = PythonFunctions(run_directory.functions)
        return examine(
            code,
            self._log(start, pid),
            run_directory.memory_map,
            functions,
            run_directory.python_stacks,
        )

    def _log(self, start: Start, pid: int) -> Path:
        names = LogNames.expected(start.log_template, start.environment)
        return Path(self._command.directory or "", names.of(pid))

    def _template(self, run_directory: RunDirectory) -> str:
        """Return the template of where the log shall be."""
        # One for each process, as what several write at a time is mixed.
        return self._given_template() or f"{escaped(str(run_directory.directory))}/valgrind.%p.log"

    def _given_template(self) -> str | None:
        for argument in reversed(self._settings.args):
            if argument.startswith("--log-file="):
                return argument.removeprefix("--log-file=")
        if (log := self._settings.log) is None:
            return None
        # As a template, but that any other per cent sign stands for itself.
        return f"{escaped(str(log.parent))}/{re.sub('%(?!p)', '%%', log.name)}"

    def _known_noise(self, options: list[str]) -> str | None:
        if self._settings.all_errors:
            return None
        calibration = Calibration(self._valgrind, options, os.environ)

        def say(words: str) -> None:
            print(words, end="", file=sys.stderr, flush=True)

        return calibration.noise(say, anew=self._settings.calibrate)

    def _options(self, template: str) -> list[str]:
        # Valgrind reads these before its command line, which would win.
        given = _names(options_from_elsewhere())
        options = ["--tool=memcheck", f"--log-file={template}"]
        options += [option for option in _DEFAULTS if _name(option) not in given]
        if self._settings.heapcheck:
            # Nothing has to reach down to the frame of the test: valgrind's own number will do.
            options = [option for option in options if _name(option) != "--num-callers"]
        if self._settings.python_frames and "--num-callers" not in given:
            # Each call of a Python function is three frames or four.
            options.append(f"--num-callers={2 * _CALLERS}")
        soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if soft != resource.RLIM_INFINITY and soft < _SMALLEST_STACK:
            options.append(f"--main-stacksize={_SMALLEST_STACK}")
        options += [f"--suppressions={path}" for path in self._settings.suppressions]
        if self._settings.gen_suppressions:
            options.append("--gen-suppressions=all")
        return [*options, *self._settings.args]


def _name(option: str) -> str:
    name = option.partition("=")[0]
    return "--show-error-list" if name == "-s" else name


def _names(options: Iterable[str]) -> set[str]:
    return {_name(option) for option in options}


def _lower_limits() -> None:
    """Lower the limit of descriptors to what valgrind can bear.

    For this process too, which has nothing left to do but to wait.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (
        _MOST_DESCRIPTORS if limit == resource.RLIM_INFINITY else min(limit, _MOST_DESCRIPTORS)
        for limit in limits
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
