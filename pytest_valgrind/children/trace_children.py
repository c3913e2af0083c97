"""How valgrind is made to follow the processes that tests start: its options, and what it needs."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_valgrind import client, preload
from pytest_valgrind.memcheck.log_names import tells_apart
from pytest_valgrind.memcheck.valgrind_info import ValgrindInfo
from pytest_valgrind.settings import Settings

#: For csrc/child_preload.c: the kinds of leak that count, ``none`` for none.
_LEAK_KINDS = "PYTEST_VALGRIND_CHILDREN"
_SKIP = "--trace-children-skip="
# It cannot run itself, and its tools even less.
_VALGRIND = ("*/valgrind", "*/valgrind.bin", "*/memcheck-*-*")
_OPTION = "--valgrind-trace-children (which --forked switches on)"
_MIXED = (
    f"{_OPTION}: several processes would write into one log, each from its start: "
    "put %p, which stands for the process id, into the name of its file (--log-file={log})."
)


def options(settings: Settings, given: Iterable[str]) -> list[str]:
    """Return what valgrind must be given to follow child processes, after all other options.

    :param given: the other options.
    """
    skipped = [option.removeprefix(_SKIP) for option in given if option.startswith(_SKIP)]
    skipped += [*_VALGRIND, *(f"*/{name}" for name in _privileged_programs())]
    return [
        "--trace-children=yes",
        f"{_SKIP}{','.join(skipped)}",
        # A program that is executed checks when it ends. The process that runs the tests, which
        # does so when it wants to, changes this for itself.
        f"--leak-check={'full' if _checks_for_leaks(settings) else 'no'}",
        f"--show-leak-kinds={_kinds(settings)}",
        "--errors-for-leak-kinds=none",
    ]


def environment(settings: Settings) -> dict[str, str]:
    """Return what the environment must hold for what is preloaded into child processes."""
    return {_LEAK_KINDS: _kinds(settings)}


def follow(settings: Settings, info: ValgrindInfo, *, is_ready: bool) -> None:
    """Have valgrind follow the children of this process from here on.

    :param is_ready: whether :func:`options` and :func:`environment` are in force, or this has been
        called before.
    :raises pytest.UsageError: if not every process has a log of its own, or the loader
        cannot be told what to preload.
    """
    if info.log is None:
        raise pytest.UsageError(
            f"{_OPTION}: each process needs a log of its own: start valgrind with "
            "--log-file=valgrind.%p.log, or let pytest --valgrind start it."
        )
    if info.log_names is None:
        raise pytest.UsageError(_MIXED.format(log="valgrind.%p.log"))
    if info.has_gdbserver:
        raise pytest.UsageError(
            f"{_OPTION}: with its gdbserver, valgrind puts what forks do into their "
            "parent's log: add --vgdb=no to its options."
        )
    client.log_forks(True)
    client.change_option("--leak-check=no")
    client.change_option("--trace-children=yes")
    if not is_ready:
        _prepare_late(settings)


def refuse_mixed(template: str | None) -> None:
    """Refuse a log that is not one for each process.

    :param template: the one that was asked for, None if none was.
    :raises pytest.UsageError: if it is.
    """
    if template is not None and not tells_apart(template):
        log = Path(template)
        raise pytest.UsageError(_MIXED.format(log=f"{log.stem}.%p{log.suffix}"))


def _prepare_late(settings: Settings) -> None:
    """Do what the launcher would have done."""
    os.environ[_LEAK_KINDS] = _kinds(settings)
    os.environ["PYTHONMALLOC"] = "malloc"
    path = preload.children()
    if path is None:
        return
    import ctypes

    ctypes.CDLL(str(path)).pvg_report_forks()
    present = os.environ.get(preload.NAME)
    os.environ.update(preload.changes([path, preload.repairs()], present))


def _kinds(settings: Settings) -> str:
    if not _checks_for_leaks(settings):
        return "none"
    return ",".join(sorted(kind.name.lower() for kind in settings.leak_kinds))


def _checks_for_leaks(settings: Settings) -> bool:
    """Whether valgrind is to look for leaks: the native engine has done so in a run before."""
    return settings.memcheck and not settings.heapcheck


def _privileged_programs() -> list[str]:
    """Return the names of programs that valgrind refuses to execute, such as sudo."""
    names: set[str] = set()
    for directory in os.get_exec_path():
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            names.update(entry.name for entry in entries if has_privileges(entry.path))
    return sorted(names)


def has_privileges(path: str) -> bool:
    """Whether a program is setuid, setgid or has file capabilities."""
    try:
        if Path(path).stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
            return True
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False
