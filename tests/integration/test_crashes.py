"""Processes that die: the right test has the evidence, and no other outcome is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ENGINES, INI, SUITES
from crash_rows import FRAMES, KINDS
from suite import PATIENCE, Run, Suite

HARMLESS = ("test_before", "test_between", "test_after")


def kinds(tmp_path_factory: pytest.TempPathFactory, extension: Path, *options: str) -> Run:
    """Run the suite of all kinds."""
    made = Suite(tmp_path_factory.mktemp("crashes"), extension)
    made.write("pytest.ini", INI)
    made.copy(SUITES / "crashes")
    return made.run("--valgrind", *options)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run that ends with the first death."""
    return kinds(tmp_path_factory, extension)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(option, marks=pytest.mark.slow) for option in ("--valgrind-resume", "-n2")
    ],
)
def goes_on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path
) -> Run:
    """Return a run in which other processes go on."""
    options = [request.param]
    if request.param == "-n2":
        options += ["--max-worker-restart=20"]
    return kinds(tmp_path_factory, extension, *options)


def test_the_test_that_crashed_the_process(alone: Run) -> None:
    """Its failure says how the process died, with the stack."""
    case = alone["test_segmentation_fault"]
    assert case.outcome == "failed"
    assert case.message.startswith("[VALGRIND CRASH] died of SIGSEGV: invalid write: crash")
    assert "Invalid write of size 4" in case.text
    assert "  > crash (defective.c:" in case.text
    assert "If you believe" not in case.text


def test_log_is_for_files_unless_asked_for(alone: Run) -> None:
    """The terminal shows what was read in it; the path of all of it is in the summary."""
    for name, section in (
        ("test_segmentation_fault", "valgrind log"),
        ("test_segmentation_fault", "valgrind's log"),
        ("test_error", "valgrind log"),
    ):
        assert f"- {section} -" in alone[name].text
        assert f"- {section} -" not in alone.output
    assert "  > crash (defective.c:" in alone.output
    assert any(line.startswith("log: ") for line in alone.summary)


def unchecked(run: Run) -> str:
    """Return the line of the tests that were not checked for leaks.

    It may be empty: when a group ends is a matter of time.
    """
    return "".join(line for line in run.summary if "not checked for leaks: " in line)


def test_outcomes_before_the_crash(alone: Run) -> None:
    """Tests that could not be checked for leaks any more have theirs as well."""
    assert alone["test_before"].outcome == "passed"


def test_leak_before_the_crash(alone: Run) -> None:
    """It is known, or it is said that it is not."""
    is_known = alone["test_leak"].outcome == "failed"
    assert is_known is not ("test_crash_kinds.py::test_leak" in unchecked(alone))


def test_error_before_the_crash(alone: Run) -> None:
    """It is known although its test had not been judged."""
    assert alone["test_error"].outcome == "failed"
    assert alone["test_error"].message.startswith("[VALGRIND ERROR] invalid read")
    assert "Invalid read" not in alone["test_segmentation_fault"].text


def test_tests_that_did_not_run(alone: Run) -> None:
    """They are named, and what to do about it."""
    (line,) = (line for line in alone.summary if "not run: " in line)
    assert "test_crash_kinds.py::test_between" in line
    assert any("--memory-resume" in line for line in alone.summary)


def test_exit_code_after_a_crash(alone: Run) -> None:
    """It is that of failed tests."""
    assert alone.code == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("name", KINDS)
def test_each_crash_is_of_its_test(goes_on: Run, name: str) -> None:
    """Its failure says how the process died."""
    case = goes_on[name]
    assert case.outcome == "failed"
    assert case.message.startswith(f"[VALGRIND CRASH] {KINDS[name]}")
    assert FRAMES.get(name, "") in case.text


@pytest.mark.parametrize("name", HARMLESS)
def test_all_others_run(goes_on: Run, name: str) -> None:
    """They do, whichever test crashed before or after."""
    assert goes_on[name].outcome == "passed"


def test_leak_after_crashes(goes_on: Run) -> None:
    """It is found, whether or not the process died later."""
    assert "20 bytes in 1 block is definitely lost" in goes_on["test_leak_after"].text


def test_leak_before_crashes(goes_on: Run) -> None:
    """It is found by another run of its test, where the first process died."""
    assert "10 bytes in 1 block is definitely lost" in goes_on["test_leak"].text
    assert not unchecked(goes_on)


def test_error_between_crashes(goes_on: Run) -> None:
    """It is reported on its test."""
    assert "[VALGRIND ERROR]" in goes_on["test_error"].message


def test_nothing_is_left_out(goes_on: Run) -> None:
    """Each test has an outcome."""
    assert not any("not run" in line for line in goes_on.summary)
    assert len(goes_on.cases) == len(KINDS) + len(HARMLESS) + 3


RESUMED = """
import defective, os
def test_before(): pass
def test_segmentation_fault(): defective.crash()
def test_between(): pass
def test_exit(): os._exit(3)
def test_leak(): defective.leak(20)
"""


@pytest.mark.slow
def test_resume(suite: Suite) -> None:
    """Two crashes, and all tests around them, are reported; test_each_death has all kinds."""
    suite.write("test_few.py", RESUMED)
    run = suite.run("--valgrind", "--valgrind-resume")
    for name in ("test_segmentation_fault", "test_exit"):
        assert run[name].message.startswith(f"[VALGRIND CRASH] {KINDS[name]}")
    assert run["test_before"].outcome == run["test_between"].outcome == "passed"
    assert "20 bytes in 1 block is definitely lost" in run["test_leak"].text
    assert len(run.cases) == 5
    assert not any("not run" in line for line in run.summary)


def test_crash_at_import(suite: Suite) -> None:
    """The error names the file that was imported, and shows the stack."""
    suite.write("test_import.py", "import defective\ndefective.crash()\ndef test(): pass\n")
    run = suite.run("--valgrind", "--valgrind-resume")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "It happened while test_import.py was collected." in run.output
    assert "  > crash (defective.c:" in run.output


@pytest.mark.parametrize("engine", ENGINES)
def test_crash_in_a_conftest(suite: Suite, engine: str) -> None:
    """It is reported before there is any test, even with an option of that conftest."""
    suite.write(
        "conftest.py",
        "import defective, os\n"
        "def pytest_addoption(parser): parser.addoption('--own')\n"
        "os._exit(7)\n",
    )
    suite.write("test_none.py", "def test(): pass\n")
    run = suite.run(engine, "--own=1")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "exited early with code 7" in run.output
    assert "It happened before any test was collected." in run.output


@pytest.mark.parametrize("engine", ENGINES)
def test_exit_that_hides_a_failure(suite: Suite, engine: str) -> None:
    """The session ended, but nothing was reported, and the exit code says that all is well."""
    suite.write("conftest.py", "import os\ndef pytest_sessionfinish(): os._exit(0)\n")
    suite.write("test_leak.py", "import defective\ndef test_leak(): defective.leak()\n")
    run = suite.run(engine)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "although tests failed" in run.errors
    assert run["test_leak"].outcome == "failed"


@pytest.mark.slow
def test_error_at_import_before_a_crash(suite: Suite) -> None:
    """It is known, although no test had been judged."""
    suite.write(
        "test_one.py",
        "import defective\ndefective.read_past_end()\ndef test(): defective.crash()\n",
    )
    run = suite.run("--valgrind")
    assert any("(import)" in line for line in run.summary)
    assert run["test"].message.startswith("[VALGRIND CRASH]")


@pytest.mark.slow
def test_crash_at_exit(suite: Suite) -> None:
    """It is reported, although the terminal summary has been written."""
    suite.write(
        "test_exit.py",
        "import atexit, defective\ndef test(): atexit.register(defective.crash)\n",
    )
    run = suite.run("--valgrind")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "It happened after the last test" in run.output
    assert run["test"].outcome == "passed"


@pytest.mark.slow
def test_error_between_tests_before_a_crash(suite: Suite) -> None:
    """It is known, although it belongs to no test."""
    suite.write(
        "conftest.py",
        "import defective\n"
        "def pytest_runtest_logfinish(nodeid):\n"
        "    if 'one' in nodeid: defective.read_past_end()\n",
    )
    suite.write(
        "test_a.py",
        "import defective\n"
        "def test_one(): pass\n"
        "def test_two(): pass\n"
        "def test_dies(): defective.crash()\n",
    )
    run = suite.run("--valgrind", "--valgrind-leak-check=exact")
    (line,) = (line for line in run.summary if "outside tests" in line)
    assert "1 error" in line
    assert run["test_dies"].message.startswith("[VALGRIND CRASH]")


@pytest.fixture
def little_memory(tmp_path: Path) -> Iterator[Path]:
    """Return the file that takes a process into a control group with 64 MiB of memory."""
    first = Path("/sys/fs/cgroup/memory")
    limits = {"memory.limit_in_bytes": 64 << 20, "memory.memsw.limit_in_bytes": 64 << 20}
    if not first.exists():  # version 2
        first = Path("/sys/fs/cgroup")
        limits = {"memory.max": 64 << 20, "memory.swap.max": 0}
    group = first / f"pytest-valgrind-{tmp_path.name}-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        for name, limit in limits.items():
            if not (group / name).exists():
                pytest.skip(f"control groups here have no {name}")
            (group / name).write_text(str(limit))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


@pytest.mark.slow
def test_out_of_memory(suite: Suite, little_memory: Path) -> None:
    """The other outcomes are reported, and the failure says what may have happened."""
    suite.write(
        "test_a.py",
        "import os, pathlib\n"
        "def test_before(): pass\n"
        "def test_grows():\n"
        f"    pathlib.Path('{little_memory}').write_text(str(os.getpid()))\n"
        "    kept = []\n"
        "    while True: kept.append(b'x' * (1 << 20))\n",
    )
    run = suite.run("--valgrind")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert run["test_before"].outcome == "passed"
    assert run["test_grows"].message.startswith("[VALGRIND CRASH] died of SIGKILL")
    assert "when memory runs out" in run["test_grows"].text


@pytest.mark.slow
def test_unknown_instruction(suite: Suite) -> None:
    """The failure says what to do about it."""
    suite.write("test_one.py", "import defective\ndef test(): defective.illegal_instruction()\n")
    run = suite.run("--valgrind")
    assert "illegal_instruction (defective.c:" in run["test"].text
    assert "-march=native" in run["test"].text


@pytest.mark.parametrize("engine", ENGINES)
def test_launcher_that_is_killed(suite: Suite, engine: str) -> None:
    """The tests' process does not outlive it."""
    suite.write(
        "test_long.py",
        "import os, pathlib, time\n"
        "def test():\n"
        "    pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "    time.sleep(1000)\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", engine],
        cwd=suite.directory,
        env=suite.environment(),
        stdout=subprocess.DEVNULL,
    )
    pid = suite.directory / "pid"
    end = time.monotonic() + PATIENCE
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while Path("/proc", pid.read_text()).exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
