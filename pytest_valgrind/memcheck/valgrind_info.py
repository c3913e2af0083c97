"""The valgrind that this process runs under: its options, version and log."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_valgrind import client
from pytest_valgrind.memcheck.log_names import LogNames

_VERSION = re.compile(r"Using Valgrind-(\S+) ")


# Options of valgrind 3.19 to 3.27 that have it print more (its manual, 2.6, 4.3).
_WORDY = {"-v", "--verbose", "-d", "-s", "--show-error-list=all", "--stats=yes"}
_WORDY_STARTS = (
    "--debug-dump=",
    "--leak-check=",
    "--profile-",
    "--progress-interval=",
    "--trace-",
    "--track-fds=",
)
_SILENT = {
    "--leak-check=no",
    "--progress-interval=0",
    "--track-fds=no",
    "--trace-children=yes",
    "--trace-children=no",
}


class ValgrindInfo(NamedTuple):
    """The valgrind that this process runs under."""

    version: str  #: empty where the log does not say
    program: str  #: its name in the command line
    options: tuple[str, ...]  #: of its command line
    log: Path | None
    #: Of the logs of processes, None if they are not told apart by the names of files.
    log_names: LogNames | None = None

    @property
    def number(self) -> str:
        """The version without the date that ``-v`` has there."""
        return self.version.partition("-")[0]

    @property
    def error_markers(self) -> tuple[str, ...]:
        """The lines that it puts around errors (its manual, 2.6.2)."""
        return tuple(filter(None, self.value("--error-markers").split(",")))

    @property
    def logs_processes_apart(self) -> bool:
        """Whether each process, a clone as well, has a log of its own."""
        return self.log_names is not None and not self.has_gdbserver

    @property
    def has_gdbserver(self) -> bool:
        """Whether a debugger can attach.

        From the first monitor command on, what forks print then goes into their parent's log, and
        their own has no more than a head (reset_valgrind_sink in server.c of valgrind's source).
        """
        return self.value("--vgdb") != "no"

    @property
    def lists_errors(self) -> bool:
        """Whether it surely lists its errors and suppressions when it is asked to."""
        wordy = {"-s", "-v", "--verbose", "--show-error-list=yes", "--show-error-list=all"}
        return not wordy.isdisjoint([*options_from_elsewhere(), *self.options])

    @property
    def tracks_descriptors(self) -> bool:
        """Whether it can list the descriptors that are open, and where each was opened."""
        return self.value("--track-fds") in ("yes", "all")

    @property
    def says_more(self) -> bool:
        """Whether it was asked for words that are no findings, and are nowhere but in its log."""
        return any(
            option in _WORDY or option.startswith(_WORDY_STARTS)
            for option in (*options_from_elsewhere(), *self.options)
            if option not in _SILENT
        )

    def values(self, name: str) -> list[str]:
        """Return the values of an option, wherever it was given."""
        options = [*options_from_elsewhere(), *self.options]
        return [option.partition("=")[2] for option in options if option.startswith(f"{name}=")]

    def value(self, name: str) -> str:
        """Return the value that counts, empty if there is none."""
        return (self.values(name) or [""])[-1]


def find_valgrind_info(given_log: Path | None) -> ValgrindInfo:
    """Find out about the valgrind that this process runs under.

    :param given_log: the log's path by ``--valgrind-log``.
    :raises pytest.UsageError: if that is not the log, or the tool is not memcheck.
    """
    program, *options = _command() or [""]
    if not client.running_on_memcheck():
        tool = next((word for word in options if word.startswith("--tool=")), "another tool")
        raise pytest.UsageError(
            f"--valgrind needs valgrind's memcheck, and this is {tool}: leave that option out."
        )
    # From here on forks print to where they will print later on.
    client.monitor_command("v.info n_errs_found")
    found = _find_log()
    log = found if given_log is None else confirmed(given_log, found)
    info = ValgrindInfo(_version(log), program, tuple(options), log)
    if found is None:
        return info
    # The given one may be a link to it.
    names = LogNames.found(info.value("--log-file"), _readable_name(found), os.getpid())
    return info._replace(log_names=names)


def confirmed(given: Path, found: Path | None) -> Path:
    """Return the given log if it is this process's.

    :param found: this process's, None if it has none.
    :raises pytest.UsageError: if it is not.
    """
    truth = (
        f"the log of this process is {_readable_name(found)}"
        if found
        else "this process has no log file: start valgrind with --log-file"
    )
    try:
        with given.open("rb"):
            pass
    except FileNotFoundError:
        raise pytest.UsageError(f"--valgrind-log: there is no file {given}; {truth}.") from None
    except OSError as error:
        raise pytest.UsageError(
            f"--valgrind-log: cannot read {given} ({error.strerror}); {truth}."
        ) from None
    if found is None or not given.samefile(found):
        raise pytest.UsageError(f"--valgrind-log: {given} is not the log of this process; {truth}.")
    return given


def _find_log() -> Path | None:
    """Return the regular file among the open ones into which valgrind writes."""
    token = f"pytest-valgrind looks for its log: {os.urandom(8).hex()}"
    client.print_to_log(token)
    # From 3.26 on, valgrind leaves its own out of a list of /proc/self/fd, but not of this.
    for name in os.listdir("/proc/thread-self/fd"):  # noqa: PTH208 (names, no paths)
        descriptor = Path("/proc/self/fd", name)
        try:
            if stat.S_ISREG(descriptor.stat().st_mode) and _ends_with(descriptor, token):
                path = descriptor.readlink()
                # A deleted file can still be read through its descriptor.
                return path if path.exists() else descriptor
        except OSError:
            continue  # closed meanwhile, or not readable
    return None


def _ends_with(path: Path, token: str) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 4096))
        return token.encode() in file.read()


def _readable_name(path: Path) -> Path:
    # Of a deleted file: proc(5).
    is_descriptor = path.is_symlink() and path.parts[:2] == ("/", "proc")
    return Path(str(path.readlink()).removesuffix(" (deleted)")) if is_descriptor else path


def _command() -> list[str]:
    """Return valgrind and its options."""
    # Valgrind shows the program its own command line as /proc/self/cmdline, not as this one.
    try:
        words = Path("/proc/thread-self/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
    command = words[:1]
    for word in words[1:]:
        if not word.startswith("-") or word == "--":
            break
        command.append(word)
    return command


def _version(log: Path | None) -> str:
    if log is not None:
        with log.open("rb") as file:
            if match := _VERSION.search(file.read(4096).decode(errors="replace")):
                return match[1]
    return ""


def options_from_elsewhere() -> Iterator[str]:
    """Return the options that valgrind reads by itself (its manual, 2.6.11)."""
    yield from os.environ.get("VALGRIND_OPTS", "").split()
    for directory in (os.environ.get("HOME"), os.curdir):
        if directory is not None:
            with contextlib.suppress(OSError):
                yield from Path(directory, ".valgrindrc").read_text(errors="replace").split()
