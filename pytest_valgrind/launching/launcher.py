"""From a plain shell to a process under valgrind."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_valgrind import preload
from pytest_valgrind.children import trace_children
from pytest_valgrind.command import Command
from pytest_valgrind.false_alarms.calibration import Calibration, version_of
from pytest_valgrind.launching.run_directory import RunDirectory
from pytest_valgrind.launching.waiting import Progress, Waiting
from pytest_valgrind.memcheck.log_names import LogNames, escaped
from pytest_valgrind.memcheck.python_functions import PythonFunctions
from pytest_valgrind.memcheck.valgrind_info import options_from_elsewhere
from pytest_valgrind.recovery import journal
from pytest_valgrind.recovery.history import ProcessHistory
from pytest_valgrind.recovery.post_mortem import examine
from pytest_valgrind.recovery.second_runs import SecondRun
from pytest_valgrind.settings import Settings

# Deep enough to reach from an allocation down to the frame of the test: for a call in a test, a
# fixture, a unittest or a doctest, 6 to 34 C frames of CPython's are in between (3.11 to 3.13), or
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
_SOCKET_SERVER = "execnet/script/socketserver.py"
_SMALLEST_STACK = 8 << 20  # bytes; Linux's default


class End(NamedTuple):
    """How a launched process ended."""

    code: int  #: its exit code, as a shell says it
    history: ProcessHistory
    #: Whether somebody has asked for it, by a signal to this process.
    was_asked_for: bool = False
    #: Whether that was before it ran a session of pytest.
    was_stopped_early: bool = False
    #: Whether it came to pytest.
    reached_pytest: bool = True

    @property
    def can_be_followed(self) -> bool:
        """Whether it has died of itself, and another process has any chance to come further."""
        died = self.history.crash is not None and not self.was_asked_for
        return died and bool(self.history.began)

    @property
    def ran_session(self) -> bool:
        """Whether it ran or listed tests, or died of that."""
        return self.reached_pytest and (self.history.has_ended or self.history.crash is not None)

    @property
    def hides_failures(self) -> bool:
        """Whether it ended as though nothing was found, before the interpreter came to its end.

        A script of the user's own that comes to its end has the exit code that it wants.
        """
        history = self.history
        return self.code == 0 and not history.has_finished and history.results.fails

    @property
    def words(self) -> str:
        """How it ended without a session, for a sentence."""
        before = "it ran a session" if self.reached_pytest else "it came to pytest"
        return f"the process under valgrind ended with exit code {self.code} before {before}"


class Launch:
    """A command that runs once more, under valgrind.

    :param directory: for the log and all else that belongs to the process; must not exist. A
        temporary one if there is none.
    :raises pytest.UsageError: if this cannot work here, with what to do about it.
    """

    def __init__(self, command: Command, settings: Settings, directory: Path | None = None) -> None:
        self._directory = directory
        self._valgrind = _find_valgrind()
        self._command = command
        self._settings = settings
        _refuse_unusable_interpreter(command.words[0])
        _refuse_what_stands_in_the_way(command.words, settings)
        if settings.trace_children:
            trace_children.refuse_mixed(self._given_template())

    def calibrate(self) -> None:
        """Find out what the interpreter's own errors are, for those that are launched later."""
        self._noise(self._options("valgrind.log"))

    def run(
        self, passed_over: Iterable[str] | None = None, second_runs: Sequence[SecondRun] = ()
    ) -> End:
        """Run it, and wait for its end.

        :param passed_over: tests that have been run already, by a process that died of one; None
            for the first process.
        :param second_runs: those of them that are to run once more.
        :raises pytest.UsageError: if there is no room for the log, or valgrind does not start.
        """
        # Before there is anything that would be left behind.
        noise = self._noise(self._options("valgrind.log"))
        _lower_limits()
        with Waiting() as waiting:
            run_directory = self._run_directory()
            try:
                self._hand_over(run_directory, noise, passed_over, second_runs)
                return self._run(run_directory, noise, waiting)
            except BaseException:
                shutil.rmtree(run_directory.directory, ignore_errors=True)
                raise

    def _run(self, run_directory: RunDirectory, noise: str | None, waiting: Waiting) -> End:
        template = self._template(run_directory)
        options = self._options(template)
        if noise is not None:
            options.append(f"--suppressions={run_directory.noise}")
        preloaded = [preload.repairs()]
        changes: dict[str, str] = {}
        if self._settings.trace_children:
            options += trace_children.options(self._settings, [*options_from_elsewhere(), *options])
            preloaded.insert(0, preload.children())
            changes = trace_children.environment(self._settings)
        # pytest's own command does nothing before it takes over; a user's program may do anything.
        held_back = set() if self._command.program else {signal.SIGINT}
        environment = run_directory.environment(preloaded, holds_interrupts=bool(held_back))
        environment |= changes
        process = self._start(options, environment, lambda: waiting.prepare(held_back))
        code = waiting.end_of(process, lambda: _progress(run_directory))
        names = LogNames.expected(template, environment)
        log = Path(self._command.directory or "", names.of(process.pid))
        text = journal.read(run_directory.journal)
        if (waiting.was_interrupted or waiting.forwarded) and not text:
            shutil.rmtree(run_directory.directory, ignore_errors=True)
            code = 128 + waiting.forwarded[0] if waiting.forwarded else pytest.ExitCode.INTERRUPTED
            return End(code, ProcessHistory([]), was_asked_for=True, was_stopped_early=True)
        if not log.exists():
            raise pytest.UsageError(self._no_start(code))
        history = ProcessHistory(journal.records(text))
        # Without a journal, it was replaced by another program before it was adopted.
        is_known = run_directory.journal.exists()
        if code < 0 or (is_known and not (history.has_ended or history.has_finished)):
            functions = PythonFunctions(run_directory.functions)
            crash = examine(
                code, log, run_directory.memory_map, functions, run_directory.python_stacks
            )
            history.record_crash(crash)
            with contextlib.suppress(OSError):
                journal.append(run_directory.journal, crash)
        elif not run_directory.log_is_kept:
            shutil.rmtree(run_directory.directory, ignore_errors=True)
        was_asked_for = -code in waiting.forwarded
        return End(
            128 - code if code < 0 else code, history, was_asked_for, reached_pytest=is_known
        )

    def _start(
        self, options: list[str], environment: dict[str, str], prepare: Callable[[], None]
    ) -> subprocess.Popen[bytes]:
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            return subprocess.Popen(
                [self._valgrind, *options, *self._command.words],
                cwd=self._command.directory,
                env=environment,
                close_fds=False,
                preexec_fn=prepare,  # noqa: PLW1509 (no thread holds a lock that it needs)
            )
        except OSError as error:
            raise pytest.UsageError(
                f"--valgrind: {self._valgrind} cannot be started: {error.strerror}."
            ) from None

    def _no_start(self, code: int) -> str:
        """Say what is known of a valgrind that has not begun a log."""
        how = f"ended with exit code {code}" if code >= 0 else f"died of signal {-code}"
        version = version_of(self._valgrind)
        known = f"its version is {version}" if version else "it does not tell its version"
        return (
            f"--valgrind: valgrind did not start: {self._valgrind} {how} without a log, and "
            f"{known}; if it has said why, that is above."
        )

    def _run_directory(self) -> RunDirectory:
        try:
            if self._directory is None:
                return RunDirectory(Path(tempfile.mkdtemp(prefix="pytest-valgrind-")))
            self._directory.mkdir(mode=0o700)
        except OSError as error:
            raise _no_room(error) from None
        return RunDirectory(self._directory)

    def _hand_over(
        self,
        run_directory: RunDirectory,
        noise: str | None,
        passed_over: Iterable[str] | None,
        second_runs: Sequence[SecondRun],
    ) -> None:
        try:
            if passed_over is not None:
                run_directory.pass_over(passed_over)
                run_directory.run_again(second_runs)
            if noise is not None:
                run_directory.noise.write_text(noise, encoding="utf-8")
        except OSError as error:
            raise _no_room(error) from None

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

    def _noise(self, options: list[str]) -> str | None:
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
        if self._settings.python_frames and "--num-callers" not in given:
            # Each call of a function of Python's is three frames or four.
            options.append(f"--num-callers={2 * _CALLERS}")
        soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if soft != resource.RLIM_INFINITY and soft < _SMALLEST_STACK:
            options.append(f"--main-stacksize={_SMALLEST_STACK}")
        options += [f"--suppressions={path}" for path in self._settings.suppressions]
        if self._settings.gen_suppressions:
            options.append("--gen-suppressions=all")
        return [*options, *self._settings.args]


def is_started_by_execnet() -> bool:
    """Whether this interpreter was started to execute what comes over a pipe or a socket."""
    code = "".join(sys.orig_argv[-1:])
    return "exec(eval(sys.stdin.readline()))" in code or sys.argv[0].endswith(_SOCKET_SERVER)


def tests_will_run(option: object) -> bool:
    """Whether tests will run, rather than help be printed."""
    tells = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
    return not any(getattr(option, name, None) for name in tells)


def _find_valgrind() -> str:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise pytest.UsageError(
            "--valgrind: there is no valgrind here: install it with `apt install valgrind`, "
            "`dnf install valgrind`, `pacman -S valgrind` or `brew install valgrind`."
        )
    return valgrind


def _refuse_unusable_interpreter(path: str) -> None:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise pytest.UsageError(
            f"--valgrind: {path} is a free-threaded build, which has no PYTHONMALLOC=malloc, so "
            "valgrind cannot see its objects: use a build with the GIL."
        )
    if _is_script(path):
        raise pytest.UsageError(
            f"--valgrind: {path} is a script that starts Python, and valgrind would watch the "
            f"script: run {Path('/proc/self/exe').readlink()} -m pytest instead."
        )
    if trace_children.has_privileges(path):
        raise pytest.UsageError(
            f"--valgrind: {path} is setuid, setgid or has file capabilities, and valgrind cannot "
            "run such a program: use a copy of it without them."
        )
    if not _is_linked_dynamically():
        raise pytest.UsageError(
            f"--valgrind: {path} is linked statically, so valgrind cannot see its malloc: use a "
            "Python that is linked to libc dynamically."
        )


def _refuse_what_stands_in_the_way(command: list[str], settings: Settings) -> None:
    if sys.flags.ignore_environment:
        raise pytest.UsageError(
            "--valgrind needs PYTHONMALLOC=malloc, which Python ignores with -E and -I: leave "
            f"that option out of `{shlex.join(command)}`."
        )
    tool = next((arg for arg in settings.args if arg.startswith("--tool=")), "--tool=memcheck")
    if tool != "--tool=memcheck":
        raise pytest.UsageError(f"--valgrind needs memcheck: leave {tool} out of valgrind_args.")
    for argument in settings.args:
        if argument.startswith(("--log-fd=", "--log-socket=", "--xml=yes")):
            raise pytest.UsageError(
                f"--valgrind reads valgrind's log from a file, and {argument} stands in the way: "
                "leave it out of valgrind_args; --log-file=FILE says which file."
            )
    if RunDirectory.is_pending():
        raise pytest.UsageError(
            "--valgrind: Python was started under valgrind and has started another process, which "
            "is not under valgrind: add --valgrind-args=--trace-children=yes."
        )
    if settings.log is not None and (shim := _shim_watched_in_our_place(settings.log)):
        raise pytest.UsageError(
            f"--valgrind: {shim} is a script that starts Python, and valgrind watched only the "
            f"script: name {sys.executable} instead, or leave valgrind out of the command line, "
            "as pytest --valgrind starts it by itself."
        )


def _is_script(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == b"#!"


def _is_linked_dynamically() -> bool:
    """Whether a dynamic loader is in this process, which runs the same interpreter."""
    return re.search(r"/ld[-.\w]*\.so", Path("/proc/self/maps").read_text()) is not None


def _shim_watched_in_our_place(log: Path) -> str | None:
    """Return the program that valgrind watched until it became this process, which it does not.

    The process id stays, as the program was replaced by this interpreter.
    """
    with contextlib.suppress(OSError), log.open("rb") as file:
        head = file.read(4096).decode(errors="replace")
        command = re.search(r"Command: (\S+)", head)
        # It may be there from another process that had this id.
        if command and head.startswith(f"=={os.getpid()}==") and _is_script(command[1]):
            return command[1]
    return None


def _no_room(error: OSError) -> pytest.UsageError:
    try:
        directory = tempfile.gettempdir()
    except OSError:  # none can be written
        directory = "any of the usual directories"
    return pytest.UsageError(
        f"--valgrind: there is no room for valgrind's log in {directory} "
        f"({error.strerror}): make some, or name another directory in TMPDIR."
    )


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


def _progress(run_directory: RunDirectory) -> Progress:
    """Return how far a process has come that runs the tests."""
    text = journal.read(run_directory.journal)
    if not text:
        return "starts"
    return "is interrupted" if ProcessHistory(journal.records(text)).was_interrupted else "runs"
