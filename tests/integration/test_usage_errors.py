"""Mistakes that a user can make: each gets a sentence that says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from suite import Run, Suite


def assert_usage_error(run: Run, *words: str) -> None:
    """Expect a usage error on one line, with these words, and no traceback."""
    text = run.errors + run.output
    assert run.code == pytest.ExitCode.USAGE_ERROR, text
    assert "Traceback" not in text
    (sentence,) = (line for line in text.splitlines() if line.startswith("ERROR: "))
    for word in words:
        assert word in sentence


@pytest.fixture
def clean(suite: Suite) -> Suite:
    """Return a suite with a test that passes."""
    suite.write("test_clean.py", "def test_clean():\n    pass\n")
    return suite


def test_no_valgrind(clean: Suite) -> None:
    """The message says how to install it."""
    run = clean.run("--valgrind", environment={"PATH": "/nonexistent"})
    assert_usage_error(run, "no valgrind", "apt install valgrind", "dnf", "pacman", "brew")


@pytest.mark.slow
def test_shim_under_valgrind(clean: Suite) -> None:
    """Valgrind watched the shim and let go of what it started."""
    shim = clean.directory / "shim"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    log = clean.directory / "log"
    run = clean.run(
        "--valgrind",
        f"--valgrind-log={log}",
        before=["valgrind", f"--log-file={log}"],
        python=[str(shim)],
    )
    assert_usage_error(run, "is a script that starts Python", sys.executable)


@pytest.mark.parametrize("flag", ["-E", "-I"])
def test_environment_that_python_ignores(clean: Suite, flag: str) -> None:
    """PYTHONMALLOC would not be in force."""
    run = clean.run("--valgrind", python=[sys.executable, flag])
    assert_usage_error(run, "PYTHONMALLOC=malloc", "-E and -I", "leave that option out")


def test_other_tool_in_the_arguments(clean: Suite) -> None:
    """Only memcheck can check."""
    run = clean.run("--valgrind", "--valgrind-args=--tool=massif")
    assert_usage_error(run, "needs memcheck", "--tool=massif")


def test_other_tool_in_the_command_line(clean: Suite) -> None:
    """Only memcheck can check."""
    run = clean.run("--valgrind", before=["valgrind", "--tool=none", "--log-file=/dev/null"])
    assert_usage_error(run, "needs valgrind's memcheck", "--tool=none")


def test_option_that_valgrind_does_not_know(clean: Suite) -> None:
    """Valgrind's own message stands above ours, once, whether or not there is a self-test."""
    cache = {"XDG_CACHE_HOME": str(clean.directory / "cache")}
    for options, environment in (
        (["--valgrind-args=--no-such-option"], {}),
        (["--valgrind-args=--num-callers=no-such-option"], cache),
    ):
        run = clean.run("--valgrind", *options, environment=environment)
        assert len(re.findall("Unknown option|Bad option", run.errors)) == 1
        assert "no-such-option" in run.errors
        assert_usage_error(run, "valgrind did not start", "exit code 1 without a log", "3.")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "ended with exit code 0 without a log, and it does not tell its version"),
        ("[ $1 = --version ] && echo valgrind-3.99.1; exit 0", "its version is 3.99.1"),
        ("kill -9 $$", "died of signal 9"),
    ],
)
def test_program_that_is_no_valgrind(clean: Suite, script: str, words: str) -> None:
    """The message says what is known of a program that prints nothing."""
    program = clean.directory / "valgrind"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    path = f"{clean.directory}:{os.environ['PATH']}"
    assert_usage_error(clean.run("--valgrind", environment={"PATH": path}), str(program), words)


def test_arguments_that_are_no_words(clean: Suite) -> None:
    """A quote in them has no end."""
    run = clean.run("--valgrind", "--valgrind-args='--x")
    assert_usage_error(run, "--valgrind-args", "No closing quotation")


def test_leak_kind_that_does_not_exist(clean: Suite) -> None:
    """The message lists those that do."""
    run = clean.run("--valgrind", "--valgrind-leak-kinds=definite,certain")
    assert_usage_error(run, "definite, indirect, possible, reachable", "'certain'")


def test_value_in_the_ini_file_that_makes_no_sense(clean: Suite) -> None:
    """The message lists those that do."""
    clean.write("pytest.ini", "[pytest]\nvalgrind_failures = maybe\n")
    assert_usage_error(clean.run("--valgrind"), "xfail or report", "'maybe'")


def test_suppression_file_that_is_not_there(clean: Suite) -> None:
    """The message names it."""
    run = clean.run("--valgrind", "--valgrind-suppressions=missing.supp")
    assert_usage_error(run, "there is no file", "missing.supp")


def test_xdist_under_valgrind(clean: Suite) -> None:
    """The workers would not be checked."""
    pytest.importorskip("xdist")
    run = clean.run("--valgrind", "-n", "2", before=["valgrind"])
    assert_usage_error(run, "leave valgrind out", "-m pytest --valgrind -n")


def test_no_room_for_the_log(clean: Suite) -> None:
    """A directory that is not there stands for one that is full."""
    code = "import tempfile; tempfile.tempdir = '/nonexistent'\n"
    clean.write("plugged.py", code)
    run = clean.run("--valgrind", "-p", "plugged")
    assert_usage_error(run, "no room for its files in /nonexistent", "TMPDIR")


def classic(suite: Suite, given: str, *options: str) -> Run:
    """Run the command line of 0.x with a log that may not be the right one."""
    log = suite.directory / "log"
    return suite.run(
        "--valgrind",
        f"--valgrind-log={given}",
        before=["valgrind", "-q", f"--log-file={log}", *options],
        environment={"PYTHONMALLOC": "malloc"},
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("pytest.ini", "is not the log of this process"),
        pytest.param("missing", "there is no file", marks=pytest.mark.slow),
        pytest.param(sys.executable, "is not the log of this process", marks=pytest.mark.slow),
        pytest.param(".", "cannot read", marks=pytest.mark.slow),
    ],
)
def test_wrong_log(clean: Suite, given: str, words: str) -> None:
    """The message says which file the log is."""
    run = classic(clean, given)
    assert_usage_error(run, words, f"the log of this process is {clean.directory / 'log'}")


def test_log_where_valgrind_writes_to_the_terminal(clean: Suite) -> None:
    """The message says how to get one."""
    run = clean.run("--valgrind", "--valgrind-log=pytest.ini", before=["valgrind"])
    assert_usage_error(run, "no log file", "--log-file")


@pytest.mark.slow
def test_pythonmalloc_that_is_not_in_force(clean: Suite) -> None:
    """What the interpreter does counts, not what the environment says."""
    run = clean.run(
        "--valgrind",
        before=["valgrind", f"--log-file={clean.directory / 'log'}"],
        python=[sys.executable, "-E"],
        environment={"PYTHONMALLOC": "malloc"},
    )
    assert run.code == pytest.ExitCode.OK
    assert any("PYTHONMALLOC=malloc is not in force" in line for line in run.summary)


def test_python_that_leaves_valgrind(clean: Suite) -> None:
    """A plugin may start the interpreter again."""
    clean.write(
        "restart.py",
        "import os, sys\n"
        "from pytest_valgrind import running_on_valgrind\n"
        "if running_on_valgrind():\n"
        "    os.execv(sys.executable, sys.orig_argv)\n",
    )
    run = clean.run("--valgrind", "-p", "restart")
    assert_usage_error(run, "not under valgrind", "--trace-children=yes")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return where a disk of 128 KiB is mounted."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(directory)]
    if os.getuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("only root may mount")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.slow
def test_full_disk(suite: Suite, small_disk: Path) -> None:
    """The error is still found, by its count, and the summary says why it is without evidence."""
    suite.write(
        "test_full.py",
        "import defective, pathlib\n"
        "def test_fill():\n"
        f"    file = open({str(small_disk / 'filler')!r}, 'wb', buffering=0)\n"
        "    try:\n"
        "        while True: file.write(bytes(512))\n"
        "    except OSError: pass\n"
        "def test_error():\n"
        "    defective.read_past_end()\n",
    )
    run = suite.run("--valgrind", f"--valgrind-args=--log-file={small_disk / 'log'}")
    assert run["test_error"].outcome == "failed"
    assert any("is full" in line and "make room" in line for line in run.summary)


@pytest.mark.slow
def test_log_that_is_emptied(suite: Suite) -> None:
    """Valgrind writes on where it was, so the evidence is there all the same."""
    suite.write(
        "test_emptied.py",
        "import defective, os\n"
        "def test_empty():\n    os.truncate('log', 0)\n"
        "def test_error():\n    defective.read_past_end()\n",
    )
    run = suite.run("--valgrind", "--valgrind-log=log")
    assert run["test_empty"].outcome == "passed"
    assert "read_past_end (defective.c" in run["test_error"].text


@pytest.mark.parametrize("option", ["--valgrind-timeout", "--valgrind-timeout-factor"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
def test_timeout_that_is_none(clean: Suite, option: str, value: str) -> None:
    """The message says what a timeout is."""
    run = clean.run("--valgrind", f"{option}={value}")
    assert_usage_error(run, f"{option} takes a number above 0, not {value!r}.")


def test_timeout_in_the_ini_file_that_is_none(clean: Suite) -> None:
    """The message is the same."""
    clean.write("pytest.ini", "[pytest]\nvalgrind_timeout = 2 minutes\n")
    assert_usage_error(clean.run("--valgrind"), "ERROR: valgrind_timeout takes a number above 0")
