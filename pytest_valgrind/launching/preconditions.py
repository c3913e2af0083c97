"""What must be so before the tests are started again, and what the user can do if it is not."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from pytest_valgrind.children import trace_children
from pytest_valgrind.launching.run_directory import RunDirectory
from pytest_valgrind.memcheck.log_lines import command_in
from pytest_valgrind.settings import Settings


def find_valgrind() -> str:
    """Return the program.

    :raises pytest.UsageError: if there is none.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise pytest.UsageError(
            "--valgrind: there is no valgrind here: install it with `apt install valgrind`, "
            "`dnf install valgrind`, `pacman -S valgrind` or `brew install valgrind`."
        )
    return valgrind


def refuse_unusable_interpreter(path: str) -> None:
    """Refuse a Python in which valgrind sees too little.

    :raises pytest.UsageError: with what to use instead.
    """
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
    if not is_linked_dynamically():
        raise pytest.UsageError(
            f"--valgrind: {path} is linked statically, so valgrind cannot see its malloc: use a "
            "Python that is linked to libc dynamically."
        )


def refuse_what_stands_in_the_way(command: list[str], settings: Settings) -> None:
    """Refuse options with which nothing could be found.

    :raises pytest.UsageError: with what to leave out.
    """
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


def refuse_where_nothing_is_preloaded(path: str) -> None:
    """Refuse a Python that does not start with the native engine.

    :raises pytest.UsageError: with what to use instead.
    """
    if sys.flags.ignore_environment:
        raise pytest.UsageError(
            "--heapcheck needs PYTHONMALLOC=malloc, which Python ignores with -E and -I: leave "
            "that option out."
        )
    if trace_children.has_privileges(path):
        raise pytest.UsageError(
            f"--heapcheck: {path} is setuid, setgid or has file capabilities, and the loader "
            "preloads nothing for such a program: use a copy of it without them."
        )
    if not is_linked_dynamically():
        raise pytest.UsageError(
            f"--heapcheck: {path} is linked statically, so its malloc cannot be replaced: use a "
            "Python that is linked to libc dynamically."
        )
    if sanitizer := _sanitizer():
        raise pytest.UsageError(
            f"--heapcheck: {sanitizer} is in this process and needs a malloc of its own: use a "
            "build without it, or that sanitizer alone."
        )
    if RunDirectory.is_pending():
        raise pytest.UsageError(
            "--heapcheck: Python was started with the native engine, and has started another "
            "process that is without it."
        )


def _is_script(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == b"#!"


def is_linked_dynamically() -> bool:
    """Whether a dynamic loader is in this process, which runs the same interpreter."""
    return re.search(r"/ld[-.\w]*\.so", _maps()) is not None


def _sanitizer() -> str | None:
    """Return the name of the sanitizer whose library is in this process, None if none is."""
    found = re.search(r"/(lib(?:[alt]san|clang_rt\.[a-z]*san)[^/\n]*)$", _maps(), re.MULTILINE)
    return found and found[1]


def _maps() -> str:
    return Path("/proc/self/maps").read_text()


def _shim_watched_in_our_place(log: Path) -> str | None:
    """Return the program that valgrind watched until it became this process, which it does not.

    The process id stays, as the program was replaced by this interpreter.
    """
    with contextlib.suppress(OSError), log.open("rb") as file:
        head = file.read(4096).decode(errors="replace")
        program, *_ = [*command_in(head).split(), ""]
        # It may be there from another process that had this id.
        if program and head.startswith(f"=={os.getpid()}==") and _is_script(program):
            return program
    return None
