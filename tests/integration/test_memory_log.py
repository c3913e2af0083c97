"""``--memory-log`` and ``--memory-limit``: plain runs, with workers, killed ones, with the engine.

Sizes that the suite holds on to are far above what else happens to a resident set.
"""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from heapcheck_runs import native_suite
from suite import Run, Suite

MB = 1_000_000
TESTS = """
import os
import pytest

held = []

def test_small():
    pass

@pytest.mark.parametrize("size", [40, 80])
def test_grows(size):
    held.append(os.urandom(size * 1_000_000))

def test_peak():
    os.urandom(60_000_000)

def test_garbage():
    cycle = [os.urandom(60_000_000)]
    cycle.append(cycle)

def test_fails():
    raise AssertionError

@pytest.mark.xfail
def test_fails_as_expected():
    raise AssertionError

def test_skipped():
    pytest.skip()

@pytest.fixture
def broken():
    yield
    raise ValueError

def test_teardown(broken):
    pass
"""
OUTCOMES = {
    "test_small": "passed",
    "test_grows[40]": "passed",
    "test_grows[80]": "error",
    "test_peak": "passed",
    "test_garbage": "passed",
    "test_fails": "failed",
    "test_fails_as_expected": "xfailed",
    "test_skipped": "skipped",
    "test_teardown": "error",
}
KILLED = """
import os, signal

def test_first():
    pass

def test_killed():
    os.kill(os.getpid(), signal.SIGKILL)

def test_last():
    pass
"""
Log = dict[str, dict[str, object]]


def log_of(suite: Suite, name: str = "log.jsonl") -> Log:
    """Return the log by the names of the tests."""
    values = [json.loads(line) for line in (suite.directory / name).read_text().splitlines()]
    return {value["nodeid"].partition("::")[2]: value for value in values}


def section(run: Run) -> list[str]:
    """Return the lines of the section of the summary."""
    _, _, rest = run.output.partition("= memory log =")
    lines = rest.splitlines()[1:]
    return lines[: next(n for n, line in enumerate(lines) if line.startswith("==="))]


@pytest.fixture(scope="module")
def suite_of_growth(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Return the suite."""
    directory = tmp_path_factory.mktemp("growth")
    return native_suite(directory, directory, {"test_growth.py": TESTS})


@pytest.fixture(scope="module")
def plain(suite_of_growth: Suite) -> tuple[Run, Log]:
    """Return a run without an engine, and its log."""
    run = suite_of_growth.run("--memory-log=log.jsonl", "--memory-limit=50 MB")
    return run, log_of(suite_of_growth)


@pytest.mark.parametrize("name", OUTCOMES)
def test_line_has_the_outcome(plain: tuple[Run, Log], name: str) -> None:
    """It is pytest's word for it."""
    assert plain[1][name]["outcome"] == OUTCOMES[name]


def test_every_test_has_a_line(plain: tuple[Run, Log]) -> None:
    """Whatever becomes of it."""
    assert plain[1].keys() == OUTCOMES.keys()


def test_growth_is_of_its_test(plain: tuple[Run, Log]) -> None:
    """It is that of the process from the setup to the teardown, in bytes."""
    for name, least, most in (("test_grows[40]", 35, 50), ("test_small", -1, 5)):
        test = plain[1][name]
        assert isinstance(test["rss_end"], int) and isinstance(test["rss_start"], int)
        assert least * MB < test["rss_end"] - test["rss_start"] < most * MB


def test_peak_is_of_its_test(plain: tuple[Run, Log]) -> None:
    """What was freed within the test is seen in it, and in no other."""
    for name, is_high in (("test_peak", True), ("test_small", False), ("test_fails", False)):
        test = plain[1][name]
        if test["rss_peak"] is not None:  # /proc may be read-only here
            assert isinstance(test["rss_peak"], int) and isinstance(test["rss_end"], int)
            assert (test["rss_peak"] - test["rss_end"] > 50 * MB) == is_high


def test_limit_fails_what_grew_by_more(plain: tuple[Run, Log]) -> None:
    """It is an error at teardown, after which it was measured."""
    assert plain[0].code == pytest.ExitCode.TESTS_FAILED
    case = plain[0]["test_grows[80]"]
    assert case.outcome == "error"
    assert "Test was limited to a growth of 50.0MiB but grew by 7" in case.text


def test_garbage_is_no_growth(plain: tuple[Run, Log]) -> None:
    """Before a test is failed, garbage is collected."""
    assert plain[0]["test_garbage"].outcome == "passed"


def test_summary_lists_what_grew_most(plain: tuple[Run, Log]) -> None:
    """And says what is over the limit, how many tests there were, and where the log is."""
    title, first, second, *_, count, log = section(plain[0])
    assert title.split() == ["grew", "by", "peak", "test"]
    assert first.endswith("test_growth.py::test_grows[80]  (over the limit)")
    assert second.endswith("test_growth.py::test_grows[40]")
    assert count == "9 tests measured"
    assert log.startswith("log: /") and log.endswith("/log.jsonl")


def test_engine_is_not_there(plain: tuple[Run, Log]) -> None:
    """So its numbers are not known."""
    assert plain[1]["test_small"]["heap_end"] is None


def test_workers_write_into_one_log(suite_of_growth: Suite) -> None:
    """Each of its lines names the worker, and the summary is about all."""
    run = suite_of_growth.run("-n2", "--memory-log=workers.jsonl")
    log = log_of(suite_of_growth, "workers.jsonl")
    assert log.keys() == OUTCOMES.keys()
    assert {test["worker"] for test in log.values()} == {"gw0", "gw1"}
    assert "9 tests measured" in section(run)


def test_live_heap_with_the_engine(suite_of_growth: Suite) -> None:
    """It is exact: the test holds on to 40,000,000 bytes, and little else."""
    run = suite_of_growth.run("--heapcheck", "--memory-log=heap.jsonl", "-k", "test_grows")
    test = log_of(suite_of_growth, "heap.jsonl")["test_grows[40]"]
    assert isinstance(test["heap_end"], int) and isinstance(test["heap_start"], int)
    assert 0 <= test["heap_end"] - test["heap_start"] - 40 * MB < 100_000
    assert "2 tests measured" in section(run)


def test_log_survives_a_kill(tmp_path: Path) -> None:
    """The lines of what ran before are whole."""
    suite = native_suite(tmp_path, tmp_path, {"test_killed.py": KILLED})
    assert suite.run("--memory-log=log.jsonl").code == -signal.SIGKILL
    assert log_of(suite).keys() == {"test_first"}


@pytest.mark.slow
def test_log_of_many_tests_that_are_killed(tmp_path: Path) -> None:
    """In the middle of 5,000: each line is whole, and none is missing."""
    text = """
import os, signal
import pytest

@pytest.mark.parametrize("number", range(5_000))
def test_many(number):
    if number == 2_500:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    suite = native_suite(tmp_path, tmp_path, {"test_many.py": text})
    assert suite.run("-q", "--memory-log=log.jsonl").code == -signal.SIGKILL
    assert list(log_of(suite)) == [f"test_many[{number}]" for number in range(2_500)]


def test_service_that_keeps_hundreds_of_megabytes(tmp_path: Path) -> None:
    """It is named with what it has grown by: what a conftest with psutil is written for."""
    text = """
answers = {}

def test_service():
    answers["all"] = bytearray(712 << 20)

def test_other():
    assert answers
"""
    suite = native_suite(tmp_path, tmp_path, {"test_service.py": text})
    run = suite.run("--memory-limit=10MB")
    pattern = r"Test was limited to a growth of 10.0MiB but grew by 71[1-3]\.\dMiB, from "
    assert re.search(pattern, run["test_service"].text)
    assert "ERROR test_service.py::test_service - Test was limited to a growth of " in run.output
    assert run["test_other"].outcome == "passed"


def test_log_goes_on_after_a_crash(tmp_path: Path) -> None:
    """The process that takes over adds to it, and the launcher's summary has all."""
    suite = native_suite(tmp_path, tmp_path, {"test_killed.py": KILLED})
    run = suite.run("--heapcheck", "--memory-resume", "--memory-log=log.jsonl")
    assert log_of(suite).keys() == {"test_first", "test_last"}
    assert "2 tests measured" in section(run)


def test_each_run_begins_anew(tmp_path: Path) -> None:
    """A log is of one run."""
    suite = native_suite(tmp_path, tmp_path, {"test_a.py": "def test_a(): pass\n"})
    for _ in range(2):
        suite.run("--memory-log=log.jsonl")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_tests_are_not_overwritten(tmp_path: Path) -> None:
    """The next word of the command line is taken for the log's name, and refused."""
    suite = native_suite(tmp_path, tmp_path, {"test_a.py": "def test_a(): pass\n"})
    run = suite.run("--memory-log", "test_a.py")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "--memory-log: test_a.py is not such a log" in run.errors
    assert (tmp_path / "test_a.py").read_text() == "def test_a(): pass\n"


def test_without_linux_there_is_the_resident_set_alone(tmp_path: Path) -> None:
    """By psutil, without peaks; a warning says that limits need the engine, which is not there."""
    files = {
        "conftest.py": "import sys\nsys.platform = 'darwin'\n",
        # Elsewhere it may not be installed; of it no more is used.
        "psutil.py": """
class Process:
    def memory_info(self):
        return type("info", (), {"rss": 40_000_000})
""",
        "test_a.py": """
import pytest

@pytest.mark.limit_memory("1 KB")
def test_a():
    bytearray(1 << 20)
""",
    }
    suite = native_suite(tmp_path, tmp_path, files)
    run = suite.run("--memory-log=log.jsonl")
    assert run["test_a"].outcome == "passed"
    assert run.output.count("are not checked: the native engine is not there on darwin") == 1
    test = log_of(suite)["test_a"]
    assert (test["rss_start"], test["rss_end"]) == (40_000_000, 40_000_000)
    assert test["rss_peak"] is test["heap_end"] is test["blocks_end"] is None
