"""The one command: from a plain shell to a process under valgrind and back."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ENGINES, HERE, INI, build_extension
from suite import INTERRUPTIBLE, PATIENCE, Run, Suite

CLEAN = "def test_clean():\n    pass\n"
LEAK = "import defective\ndef test_leak():\n    defective.leak()\n"


def log_of(run: Run) -> Path:
    """Return the log that the header names."""
    match = re.search(r"^valgrind: log (/\S+)", run.output, re.MULTILINE)
    assert match
    return Path(match[1])


def test_clean_run(suite: Suite) -> None:
    """It passes, and leaves behind neither a log nor what the conftest did natively."""
    suite.write("test_clean.py", "import os\ndef test_clean(): assert os.environ['SEEN'] == 'x'\n")
    suite.write(
        "conftest.py",
        "import atexit, os\n"
        "os.environ['SEEN'] = os.environ.get('SEEN', '') + 'x'\n"
        "open('left', 'x').close()\n"
        "atexit.register(os.remove, 'left')\n",
    )
    run = suite.run("--valgrind", "-v")
    assert run.code == pytest.ExitCode.OK
    assert run.summary[0] == "nothing found, 1 test checked"
    assert not log_of(run).parent.exists()
    assert not (suite.directory / "left").exists()


@pytest.fixture(scope="module")
def without_names(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run in which an extension without debug information leaks."""
    directory = tmp_path_factory.mktemp("without_names")
    build_extension(HERE / "extensions" / "defective.c", directory, "-g0")
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.write("test_leak.py", LEAK)
    return made.run("--valgrind", "-v")


def test_log_is_kept_when_anything_was_found(without_names: Run) -> None:
    """The summary prints its path."""
    assert without_names.code == pytest.ExitCode.TESTS_FAILED
    log = log_of(without_names)
    assert "test_leak.py::test_" in log.read_text()
    assert without_names.summary[-1] == f"log: {log}"


def test_extension_without_debug_information(without_names: Run) -> None:
    """The summary says how to get it."""
    (hint,) = (line for line in without_names.summary if "no debug information in" in line)
    assert hint.startswith("hint: ")
    assert "CFLAGS=-g" in hint


def test_log_where_the_user_wants_it(suite: Suite) -> None:
    """The option is enough, without valgrind in the command line."""
    suite.write("test_leak.py", LEAK)
    run = suite.run("--valgrind", "--valgrind-log=valgrind.txt")
    log = suite.directory / "valgrind.txt"
    assert "definitely lost" in log.read_text()
    assert run.summary[-1] == f"log: {log}"


@pytest.mark.parametrize("engine", ENGINES)
def test_exit_code_passes_through(suite: Suite, engine: str) -> None:
    """It is that of a run in which no test was found."""
    assert suite.run(engine).code == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.slow
def test_console_script(suite: Suite) -> None:
    """It is the command ``pytest`` next to the interpreter."""
    suite.write("test_clean.py", CLEAN)
    script = Path(sys.executable).parent / "pytest"
    done = subprocess.run(
        [script, "--valgrind"],
        cwd=suite.directory,
        env=suite.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "nothing found, 1 test checked" in done.stdout


ELABORATE = {
    "test_ask.py": "def test_ask():\n    assert input() == 'the answer'\n",
    "test_flags.py": (
        "import sys\n"
        "def test_flags():\n    assert sys.flags.bytes_warning and 'x' in sys._xoptions\n"
    ),
    "test_deep.py": (
        "import json\n"
        "def test_deep():\n"
        "    deep = []\n"
        "    for _ in range(400): deep = [deep]\n"
        "    assert json.dumps(deep)\n"
    ),
}


@pytest.fixture(scope="module")
def elaborate(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run whose command line has something of everything."""
    made = Suite(tmp_path_factory.mktemp("elaborate"), extension)
    made.write("pytest.ini", f"{INI}valgrind_args = --freelist-vol=1000 --time-stamp=yes\n")
    for name, text in ELABORATE.items():
        made.write(name, text)
    return made.run(
        "--valgrind",
        "--valgrind-failures=report",
        "-sv",
        "--valgrind-args=--leak-resolution=med --partial-loads-ok=no",
        before=["prlimit", f"--stack={512 << 10}:unlimited"],
        # Not -O, with which all that is imported would be compiled.
        python=[sys.executable, "-b", "-Xx"],
        environment={"VALGRIND_OPTS": "--num-callers=77"},
        stdin="the answer\n",
    )


def test_standard_input_passes_through(elaborate: Run) -> None:
    """A test may read it."""
    assert elaborate["test_ask"].outcome == "passed"


def test_flags_of_the_interpreter(elaborate: Run) -> None:
    """They stay in the command."""
    assert elaborate["test_flags"].outcome == "passed"


def test_small_stack(elaborate: Run) -> None:
    """Python gets its eight megabytes, whatever the shell allows."""
    assert "--main-stacksize=8388608" in elaborate.output
    assert elaborate["test_deep"].outcome == "passed"
    assert elaborate.code == pytest.ExitCode.OK, elaborate.output + elaborate.errors


def test_options_for_valgrind(elaborate: Run) -> None:
    """They come from the command line and the ini file; those in VALGRIND_OPTS win over ours."""
    options = re.search(r"^valgrind: options (.*)", elaborate.output, re.MULTILINE)
    assert options
    words = options[1].split()
    for word in (
        "--freelist-vol=1000",
        "--time-stamp=yes",
        "--leak-resolution=med",
        "--partial-loads-ok=no",
    ):
        assert word in words
    assert not any(word.startswith("--num-callers") for word in words)


def test_help_needs_no_valgrind(suite: Suite) -> None:
    """It is printed natively, and at once."""
    run = suite.run("--valgrind", "--help", environment={"PATH": "/nonexistent"})
    assert "--valgrind-suppressions" in run.output


SUPPRESSION = """
{
   test
   Memcheck:Addr1
   fun:read_past_end
}
"""
ERROR = "import defective\ndef test_error():\n    defective.read_past_end()\n"


def test_suppressions(suite: Suite) -> None:
    """They come from the command line and the ini file, relative to either."""
    suite.write(
        "test_error.py", f"{ERROR}def test_other_error():\n    defective.write_after_free()\n"
    )
    suite.write("a.supp", SUPPRESSION)
    suite.write("b.supp", SUPPRESSION.replace("read_past_end", "write_after_free"))
    suite.write("pytest.ini", f"{INI}valgrind_suppressions = b.supp\n")
    assert suite.run("--valgrind", "--valgrind-suppressions=a.supp").code == pytest.ExitCode.OK


@pytest.mark.slow
def test_suppressions_that_come_late(suite: Suite) -> None:
    """They hold where valgrind was started by hand, too."""
    suite.write("test_error.py", ERROR)
    suite.write("a.supp", SUPPRESSION)
    run = suite.run(
        "--valgrind",
        "--valgrind-suppressions=a.supp",
        before=["valgrind", "--log-file=log"],
        environment={"PYTHONMALLOC": "malloc"},
    )
    assert run.code == pytest.ExitCode.OK


@pytest.mark.slow
def test_terminal(suite: Suite) -> None:
    """Colours and width are those of the terminal."""
    suite.write("test_clean.py", CLEAN)
    output = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        output.extend(data)
        return data

    environment = suite.environment()
    environment.pop("COLUMNS")
    code = (
        "import fcntl, os, struct, sys, termios\n"
        "fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('4H', 30, 93, 0, 0))\n"
        f"os.chdir({str(suite.directory)!r})\n"
        f"os.environ.update(PYTHONPATH={environment['PYTHONPATH']!r}, TERM='xterm')\n"
        "os.environ.pop('COLUMNS', None)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'pytest', '--valgrind'])\n"
    )
    pty.spawn([sys.executable, "-c", code], read)
    text = output.decode()
    assert "\x1b[32m" in text
    longest = max(
        len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in text.split("\r\n") if "===" in line
    )
    assert longest == 93


SLOW = """
import signal, time
def test_fast():
    pass
def test_slow():
    open('slow', 'w').close()
    time.sleep(100)
def test_never():
    pass
"""


def interrupted(
    suite: Suite, engine: str, send: Callable[[subprocess.Popen[str]], None]
) -> tuple[int, str]:
    """Send a signal during a test; return the exit code and the output."""
    suite.write("test_slow.py", SLOW)
    process = subprocess.Popen(
        [*INTERRUPTIBLE, sys.executable, "-m", "pytest", engine, "-v"],
        cwd=suite.directory,
        env=suite.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not (suite.directory / "slow").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    send(process)
    output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


@pytest.mark.parametrize("engine", ENGINES)
def test_interrupt_from_the_terminal(suite: Suite, engine: str) -> None:
    """Ctrl-C goes to both processes, and pytest says what has been done by then."""
    code, output = interrupted(suite, engine, lambda process: os.killpg(process.pid, signal.SIGINT))
    assert code == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    assert "1 passed" in output


@pytest.mark.parametrize("engine", ENGINES)
def test_termination_of_the_launcher(suite: Suite, engine: str) -> None:
    """It ends what it has launched."""
    code, output = interrupted(suite, engine, lambda process: process.terminate())
    assert code == 128 + signal.SIGTERM
    assert "died of SIGTERM" in output


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run with other ideas of what fails a test."""
    made = Suite(tmp_path_factory.mktemp("strict"), extension)
    made.write("pytest.ini", f"{INI}valgrind_failures = report\n")
    made.write("test_leak.py", LEAK)
    made.write("test_fails.py", "def test_fails():\n    assert 'this' == 'that'\n")
    made.write(
        "test_fixed.py",
        "import pytest\n"
        "@pytest.mark.valgrind_known_leak(reason='fixed since')\n"
        "def test_fixed():\n    pass\n",
    )
    return made.run("--valgrind", "--valgrind-strict", "--valgrind-leak-kinds=indirect")


@pytest.mark.slow
def test_strict(strict: Run) -> None:
    """A marker of a defect that did not occur fails the test."""
    assert strict["test_fixed"].outcome == "failed"
    assert "[VALGRIND STRICT]" in strict["test_fixed"].text


@pytest.mark.slow
def test_failures_reported_as_what_they_are(strict: Run) -> None:
    """The ini file says so here."""
    assert strict["test_fails"].outcome == "failed"
    assert "assert 'this' == 'that'" in strict["test_fails"].text
    assert "nothing that fails a test, 3 tests checked" in strict.summary


@pytest.mark.slow
def test_kinds_of_leak_that_count(strict: Run) -> None:
    """Only those that are asked for do."""
    assert strict["test_leak"].outcome == "passed"
