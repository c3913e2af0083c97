"""The command that started a process, to be given once more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from suite import Suite
from test_usage_errors import assert_usage_error

CALL = "pytest.main(['--valgrind', 'test_clean.py'])"
SCRIPT = f"import pytest, sys; sys.exit({CALL})\n"


def run(
    suite: Suite,
    words: Sequence[str | Path],
    stdin: str | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command in a suite."""
    return subprocess.run(
        words,
        cwd=suite.directory,
        env=suite.environment(environment),
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )


THREAD = f"""
import pytest, sys, threading
codes = []
thread = threading.Thread(target=lambda: codes.append({CALL}))
thread.start()
thread.join()
sys.exit(codes[0])
"""
PROCESS = f"""
import multiprocessing, pytest, sys
def main(): sys.exit({CALL})
if __name__ == '__main__':
    process = multiprocessing.get_context('spawn').Process(target=main)
    process.start()
    process.join()
    sys.exit(process.exitcode)
"""


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        ("{python} -", SCRIPT, "the script came from standard input.*write the script to a file"),
        ("{python}", SCRIPT, "the script came from standard input.*write the script to a file"),
        ("{python} /dev/stdin", SCRIPT, "the script came from a pipe .*write the script to a file"),
        ("{python} -i -", f"{SCRIPT}exit(4)\n", "an interactive session cannot be started again"),
        ("{python} thread.py", None, "pytest.main was called in a thread"),
        ("{python} process.py", None, "pytest.main was called in a multiprocessing process"),
    ],
)
def test_what_cannot_start_again(
    suite: Suite, words: str, stdin: str | None, sentence: str
) -> None:
    """It fails at once and without valgrind, and never with exit code 0."""
    suite.write("thread.py", THREAD)
    suite.write("process.py", PROCESS)
    done = run(suite, words.format(python=sys.executable).split(), stdin)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stderr
    assert re.search(f"ERROR: --valgrind: {sentence}", done.stderr)


def test_session_within_a_session(suite: Suite) -> None:
    """The command of the process is that of the outer session."""
    suite.write("test_outer.py", f"import pytest\ndef test_outer():\n    assert {CALL} == 4\n")
    outer = suite.run("-rA")
    assert "within a session that is not checked" in outer.output
    assert outer.code == pytest.ExitCode.OK


def test_starting_directory(suite: Suite) -> None:
    """Any relative word of the command tells it; PWD may be that of another process."""
    for name in ("s", "s/s"):
        (suite.directory / name).mkdir()
    code = (
        "import os; os.chdir(os.path.dirname(os.path.abspath(__file__)))\n"
        "from pytest_valgrind.command import Command; made = Command.of_this_process()\n"
        "print(made.directory, made.program)"
    )
    for name in ("s/r.py", "s/s/r.py", "s/__main__.py"):
        suite.write(name, code)
    python, away = sys.executable, {"PWD": "/"}
    (suite.directory / "venv").symlink_to(sys.prefix)
    start = suite.directory
    rows: list[tuple[list[str], Path | None]] = [
        ([python, "s/r.py"], start),
        ([python, "./s/../s//r.py"], start),
        ([python, "s"], start),
        (["./venv/bin/python", f"{start}/s/r.py"], start),
        ([python, f"{start}/s/r.py"], None),
    ]
    for words, directory in rows:
        done = run(suite, words, environment=away)
        assert done.stdout.split() == [str(directory), words[1]], done.stderr


@pytest.mark.parametrize(
    ("words", "program"),
    [("-m pytest", ""), ("{bin}/pytest", ""), ("-c {code}", "the code of -c")],
)
def test_program_of_the_user(suite: Suite, words: str, program: str) -> None:
    """It is told apart from pytest's own command."""
    suite.write(
        "conftest.py",
        "from pytest_valgrind.command import Command\n"
        "print(f'<{Command.of_this_process().program}>')",
    )
    code = "import pytest; pytest.main(['-s', '--co', '-q'])"
    places = {"bin": str(Path(sys.executable).parent), "code": "CODE"}
    command = [sys.executable, *words.format(**places).split()]
    done = run(suite, [code if word == "CODE" else word for word in command])
    if not program:
        done = run(suite, [*command, "-s", "--co", "-q"])
    assert f"<{program}>" in done.stdout


@pytest.mark.slow
def test_any_environment(suite: Suite) -> None:
    """A script may change the directory, and paths may be relative or have special names."""
    names = os.fsdecode(b"x y:%p$LIB\n\xc3\xa9\xff")
    directory = suite.directory / names
    away = directory / "s"
    away.mkdir(parents=True)
    (directory / "tmp").mkdir()
    (away / "run.py").write_text(f"import os, pytest, sys; os.chdir('s'); sys.exit({CALL})\n")
    (away / "test_clean.py").write_text(
        "import ctypes, defective\n"
        "def test_repairs():\n    assert '_repairs' in open('/proc/self/maps').read()\n"
        "def test_leak():\n    defective.leak()\n"
        "def test_reference():\n"
        "    ctypes.pythonapi.Py_IncRef(ctypes.py_object([0, 'lost']))\n"
    )
    (away / "pytest.ini").write_text("[pytest]\nvalgrind_failures = report\n")
    done = run(
        Suite(directory, suite.path),
        [sys.executable, "s/run.py"],
        environment={"TMPDIR": str(directory / "tmp"), "HOME": "/proc/nonexistent", "PWD": "/"},
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stderr
    assert "2 failed, 1 passed" in done.stdout
    assert "list: [0, 'lost']" in done.stdout
    assert "s/run.py starts again, so its code before pytest.main runs twice" in (done.stderr)
    assert "ld.so" not in done.stderr
    (left,) = (directory / "tmp").iterdir()
    assert [path.suffix for path in left.iterdir() if path.suffix == ".log"]


def test_process_that_does_not_come_to_pytest(suite: Suite) -> None:
    """It ends with 0, and has checked nothing."""
    suite.write("test_clean.py", "def test_clean(): pass\n")
    suite.write(
        "script.py",
        "import os, sys\n"
        "if 'PYTEST_VALGRIND_DIRECTORY' in os.environ: sys.exit(int(sys.argv[1]))\n"
        "import pytest\n"
        f"{CALL}\n",
    )
    words = "the process with the tests ended with exit code {} before it came to pytest"
    for given, code in ((0, pytest.ExitCode.USAGE_ERROR), (7, 7)):
        done = run(suite, [sys.executable, "script.py", str(given)])
        assert done.returncode == code
        assert f"nothing was checked: {words.format(given)}" in done.stderr


@pytest.mark.slow
def test_process_that_runs_no_session(suite: Suite) -> None:
    """It is an error, as nothing was checked."""
    suite.write("test_clean.py", "def test_clean(): pass\n")
    suite.write(
        "conftest.py",
        "import pytest_valgrind, sys\nif pytest_valgrind.running_on_valgrind(): sys.exit(0)\n",
    )
    run = suite.run("--valgrind")
    assert_usage_error(run, "nothing was checked", "exit code 0 before it ran a session")
