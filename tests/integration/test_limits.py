"""Limits to the memory of tests: one run of tests/suites/limits, and some of what is special."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest
from conftest import SUITES
from heapcheck_runs import native_suite
from suite import Run, Suite

LIMITED = "Test was limited to {} but allocated {}"
LEAKED = "Test was allowed to leak 1.0MiB per location but at least one location leaked more"
#: By test: how much it used.
ABOVE = {
    "test_above": "4.9MiB",
    "test_exactly_the_limit": r"97\d.\dKiB",
    "test_big_int": "5.[03]MiB",
    "test_mapping": "5.0MiB",
    "test_thread": "5.0MiB",
    "test_own_thread": "5.0MiB",
    "test_parameter[5]": "5.0MiB",
    "test_method": "5.0MiB",
    "test_xfail": "5.0MiB",
    "test_of_unittest": "5.0MiB",
    "test_coroutine": r"5.\dMiB",
    "test_both_limits": "5.0MiB",
}
#: By test: the innermost frame of what it has left.
LEAKS = {
    "test_leak": "hold:.*test_limited.py",
    "test_leak_in_two_halves": "hold:.*test_limited.py",
    "test_leak_of_c": "leak:.*defective.c",
    "test_filled_cache": "test_filled_cache:.*test_limited.py",
    "test_leak_of_thread": "hold:.*test_limited.py",
    "test_leak_below_a_running_thread": "hold:.*test_limited.py",
    "test_both_limits": "hold:.*test_limited.py",
}
PASSED = (
    *("test_below", "test_one_after_the_other", "test_fixture_is_not_counted"),
    *("test_other_thread_is_not_counted", "test_parameter[6]", "test_parameter[7]"),
    *("test_closest_counts", "test_leak_in_two_places", "test_garbage", "test_freed"),
    *("test_filtered_by_python", "test_filtered_by_c", "test_leak_of_other_thread"),
    *("test_engine_is_not_seen", "test_without_a_limit"),
)
ONE = """
import pytest

@pytest.mark.limit_memory("4 MB")
def test_one():
    bytearray({size})
"""


def run_suite(directory: Path, path: Path, *options: str, ini: str = "") -> Run:
    """Run the whole suite."""
    suite = native_suite(directory, path)
    suite.copy(SUITES / "limits")
    if ini:
        suite.write("pytest.ini", (directory / "pytest.ini").read_text() + ini)
    return suite.run("--strict-markers", *options)


def small_suite(directory: Path, text: str = ONE.format(size="5 << 20"), ini: str = "") -> Suite:
    """Return a suite of one file."""
    return native_suite(
        directory, directory, {"test_one.py": text, "pytest.ini": f"[pytest]\n{ini}"}
    )


@pytest.fixture(scope="module", params=["markers", "option", "heapcheck", "workers"])
def limited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path
) -> Run:
    """Return a run in which the engine came as the parameter says."""
    directory = tmp_path_factory.mktemp("limits")
    options = {
        "markers": (),
        "option": ("--limit-markers",),
        # What a test leaves on purpose is lost, too.
        "heapcheck": ("--heapcheck", "--memory-leak-check=off"),
        "workers": ("-n2", "--limit-markers"),
    }
    return run_suite(directory, extension, *options[request.param])


@pytest.mark.parametrize("name", ABOVE)
def test_use_above_the_limit_fails(limited: Run, name: str) -> None:
    """In the words of pytest-memray, with what was used at most."""
    assert limited[name].outcome == "failed"
    limit = "976.6KiB" if "exactly" in name else "4.0MiB"
    assert re.match(LIMITED.format(limit, ABOVE[name]), limited[name].message)


@pytest.mark.parametrize("name", LEAKS)
def test_what_is_left_allocated_fails(limited: Run, name: str) -> None:
    """In the words of pytest-memray, with the stack below which it was allocated."""
    assert limited[name].outcome == "failed"
    assert LEAKED in limited[name].message
    heading = re.escape(f"{LEAKED}\nList of leaked allocations:\n    - ")
    pattern = rf"{heading}\d\.\dMiB allocated here:\n        {LEAKS[name]}:\d+\n"
    assert re.search(pattern, limited.output)


@pytest.mark.parametrize("name", PASSED)
def test_within_the_limit_passes(limited: Run, name: str) -> None:
    """Or without one."""
    assert limited[name].outcome == "passed", limited[name].text


def test_failure_stays_what_it_is(limited: Run) -> None:
    """Only what has passed is failed."""
    assert "on purpose" in limited["test_fails_by_itself"].message
    assert limited["test_skipped"].outcome == "skipped"


def test_place_of_the_peak(limited: Run) -> None:
    """The lines are listed that held most of it, when the test ran again."""
    heading = "but allocated 4.9MiB\nList of allocations, when the test ran again:\n"
    assert re.search(rf"{heading}    - 3.0MiB allocated here:\n        test_above:", limited.output)


def test_status_is_a_word_of_its_own(limited: Run) -> None:
    """As pytest-memray has it, and counted as a failure."""
    assert re.search(r"^MEMORY PROBLEMS \S+::test_above", limited.output, re.MULTILINE)
    assert limited.totals.startswith(f"{len(ABOVE.keys() | LEAKS.keys()) + 1} failed")


def test_every_test_is_judged_here(limited: Run) -> None:
    """No test of the suite is forgotten."""
    judged = {*ABOVE, *LEAKS, *PASSED, "test_fails_by_itself", "test_skipped"}
    assert limited.cases.keys() == judged


def test_start_after_collection_says_so_once(tmp_path: Path) -> None:
    """And how to spare the first start; with that, nothing is said."""
    suite = small_suite(tmp_path)
    words = "limit_memory, limit_leaks: starting again with the native engine"
    assert suite.run().output.count(words) == 1
    suite.write("pytest.ini", "[pytest]\nlimit_markers = true\n")
    run = suite.run()
    assert words not in run.output
    assert run["test_one"].outcome == "failed"


def test_default_of_the_ini_file(tmp_path: Path) -> None:
    """It holds for doctests, too, and starts the engine."""
    doctest = '"""\n>>> len(bytearray(5 << 20))\n5242880\n"""\n'
    suite = small_suite(tmp_path, f"{doctest}def test_small(): pass\n", "limit_memory = 4 MB\n")
    run = suite.run("--doctest-modules")
    assert run.totals.startswith("1 failed, 1 passed")
    assert "Test was limited to 4.0MiB but allocated 5.0MiB" in run.output


def test_default_of_the_command_line(tmp_path: Path) -> None:
    """It is for tests whose markers say nothing else."""
    text = ONE.format(size="3 << 20") + "\ndef test_other():\n    bytearray(3 << 20)\n"
    run = small_suite(tmp_path, text).run("--limit-memory=2MB")
    assert run["test_one"].outcome == "passed"
    assert run["test_other"].message == "Test was limited to 2.0MiB but allocated 3.0MiB"


@pytest.mark.parametrize(
    "engine", ["--heapcheck", pytest.param("--valgrind", marks=pytest.mark.slow)]
)
def test_known_leak_hides_no_broken_limit(tmp_path: Path, extension: Path, engine: str) -> None:
    """Its marker says nothing of a limit: the test fails, and without one it is expected to."""
    text = """
import defective
import pytest

pytestmark = pytest.mark.valgrind_known_leak("since May")

@pytest.mark.limit_memory("100 KB")
def test_use():
    defective.leak(200_000)

@pytest.mark.limit_leaks("100 KB")
def test_leak():
    defective.leak(200_000)

def test_without_a_limit():
    defective.leak(200_000)
"""
    run = native_suite(tmp_path, extension, {"test_known.py": text}).run(engine, "--limit-markers")
    assert run["test_use"].message.startswith("Test was limited to 100.0KiB but allocated ")
    assert run["test_leak"].message.startswith("Test was allowed to leak 100.0KiB per location but")
    assert run.totals.startswith("2 failed, 1 xfailed")


def test_increase_fails(tmp_path: Path) -> None:
    """It is told with what was used before; the same again is no increase."""
    suite = small_suite(tmp_path, ONE.format(size="1 << 20"))
    options = ("-p", "cacheprovider", "--limit-markers", "--fail-on-increase")
    assert suite.run(*options).code == suite.run(*options).code == pytest.ExitCode.OK
    suite.write("test_one.py", ONE.format(size="2 << 20"))
    for _ in range(2):
        run = suite.run(*options)
        assert run["test_one"].message == "Test previously used 1.0MiB but now uses 2.0MiB"


@pytest.mark.parametrize("options", [(), ("--limit-markers",)])
def test_bad_limit_is_a_usage_error(tmp_path: Path, options: tuple[str, ...]) -> None:
    """It names the test, and nothing runs."""
    suite = small_suite(tmp_path, ONE.format(size="1").replace("4 MB", "24 parsecs"))
    run = suite.run(*options)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "test_one.py::test_one: Invalid memory size format: 24 parsecs." in run.errors


def test_bad_limit_in_a_worker(tmp_path: Path) -> None:
    """It is an error of collection, and nothing runs."""
    suite = small_suite(tmp_path, ONE.format(size="1").replace("4 MB", "24 parsecs"))
    run = suite.run("-n1", "--limit-markers")
    assert "test_one.py::test_one: Invalid memory size format: 24 parsecs." in run.output
    assert run.totals.startswith("1 error in")


def test_workers_need_the_engine_from_the_start(tmp_path: Path) -> None:
    """A warning says so, as the limits are not checked."""
    run = small_suite(tmp_path).run("-n1")
    assert run.code == pytest.ExitCode.OK
    assert "limits to the memory of 1 test are not checked: a worker of pytest-xdist" in run.output
    assert "limit_markers = true in the ini file" in run.output


def test_pytest_memray_does_the_work(tmp_path: Path) -> None:
    """Where its plugin is, the markers are its own."""
    suite = small_suite(tmp_path)
    suite.write(
        "conftest.py",
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(object(), 'memray_manager')\n",
    )
    run = suite.run()
    assert run.code == pytest.ExitCode.OK
    assert "starting again" not in run.output


@pytest.mark.parametrize("is_first", [True, False])
def test_option_of_pytest_memray(tmp_path: Path, *, is_first: bool) -> None:
    """It is its own where both are installed, in whichever order they are loaded."""
    suite = small_suite(tmp_path)
    if not is_first:
        suite.write("conftest.py", "pytest_plugins = ['pytest_memray']\n")
    suite.write(
        "pytest_memray.py",
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--fail-on-increase', action='store_true')\n"
        "def pytest_configure(config):\n"
        "    assert config.getoption('fail_on_increase')\n"
        "    config.pluginmanager.register(object(), 'memray_manager')\n",
    )
    words = ("-p", "pytest_memray") if is_first else ()
    run = suite.run(*words, "--fail-on-increase", "--memory-fail-on-increase")
    assert run.code == pytest.ExitCode.OK, run.errors


def test_session_that_starts_again_ends_first(tmp_path: Path) -> None:
    """What a conftest has begun in the first process is ended before the second begins."""
    suite = small_suite(tmp_path, ONE.format(size="1"))
    suite.write(
        "conftest.py",
        "def note(words):\n"
        "    with open('notes', 'a') as file:\n"
        "        print(words, file=file)\n"
        "def pytest_sessionstart(): note('start')\n"
        "def pytest_sessionfinish(): note('finish')\n"
        "def pytest_unconfigure(): note('unconfigure')\n",
    )
    assert suite.run().totals.startswith("1 passed")
    steps = ["start", "finish", "unconfigure"]
    assert (tmp_path / "notes").read_text().split() == steps * 2


def test_programs_are_not_started_twice(tmp_path: Path) -> None:
    """A script that calls pytest is not, unless the user says so: a warning tells."""
    suite = small_suite(tmp_path)
    suite.write(
        "script.py",
        "import pytest, sys\nprint('once')\nsys.exit(pytest.main(['-p', 'no:cacheprovider']))\n",
    )
    run = suite.run(python=(sys.executable, "script.py"))
    assert run.output.count("once") == 1
    assert "whose code would run twice: --heapcheck starts it again" in run.output


def test_crash_ends_the_run_as_ever(tmp_path: Path) -> None:
    """Nobody stands between the process and whoever has started it."""
    text = ONE.format(size="1") + "    import os; os.abort()\n"
    assert small_suite(tmp_path, text).run("--limit-markers").code == -signal.SIGABRT
