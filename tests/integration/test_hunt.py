"""What ``pytest -R`` finds, and what it does to tests that run again and again."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from conftest import HERE, INI, SUITES, build_extension
from suite import Run, Suite

#: By test: what grows with each run of it, and words about what that is.
LEAKS = {
    "test_leaks_dict": ("memory blocks", "list test_hunted.kept grows by 1 a run"),
    "test_leaks_reference": ("references", "references to test_hunted.Token test_hunted.token: 1"),
    "test_leaks_block": ("heap bytes", "made at test_hunted.py:LINE in test_leaks_block"),
    "test_leaks_rarely": ("heap bytes", "made at test_hunted.py:LINE in test_leaks_rarely"),
    "test_leaks_cache": ("memory blocks", "_lru_cache_wrapper test_hunted.unbounded grows by 1"),
    "test_leaks_descriptor": ("file descriptors", "open: /dev/null"),
    "test_leaks_thread": ("threads", "threads run: Thread-"),
    "test_leaks_in_fixture": ("memory blocks", "list test_hunted.kept grows by 1 a run"),
    "test_leaks_in_case": ("memory blocks", "list test_hunted.kept grows by 1 a run"),
    "test_leaks_in_coroutine": ("memory blocks", "list test_hunted.kept grows by 1 a run"),
    "test_hunted.leaks_in_doctest": ("memory blocks", "list test_hunted.kept grows by 1 a run"),
}
if sys.version_info < (3, 12):
    LEAKS["test_leaks_none"] = ("references", "references to None: 1 more a run")
#: By test: the C function, and how much of what it leaves that something keeps.
FUNCTIONS = {
    "test_list_of_nodes": ("grow_list_of_nodes", "1 block"),
    "test_map": ("lose_map", "1 mapping"),
}
KNOWN = "test_leaks_as_is_known"
LISTED = "test_not_checked_and_listed"
FAILED = {
    "test_fails_the_third_time": "assert run_of",
    "test_fails_only_the_third_time": "assert run_of",
    "test_fails_and_prints": "raise AssertionError",
}
PASSED = (
    *("test_not_checked", "test_nothing", "test_cache_of_25", "test_bounded_cache", "test_case"),
    *("test_patterns", "test_cycle", "test_joined_thread", "test_exception", "test_warning"),
    *("test_hypothesis", "test_shared_fixture[0]", "test_shared_fixture[1]", "test_output"),
    *("test_descriptors_captured", "test_log", "test_file", "test_environment", "test_property"),
    *("test_after_failures", "test_checker", "test_hunted.in_doctest", "test_log_for_nobody"),
    *("test_much_output", "test_after_failure_in_the_end", "test_knows_that_it_runs"),
)


def hunt(directory: Path, extension: Path, *options: str) -> Run:
    """Run the suite."""
    made = Suite(directory, extension, plugins=["asyncio", "hypothesispytest"])
    made.write("pytest.ini", f"{INI}asyncio_default_fixture_loop_scope = function\n")
    made.copy(SUITES / "hunt")
    return made.run("--doctest-modules", "--strict-markers", "-v", *options)


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run by the rule of doubling windows."""
    return hunt(tmp_path_factory.mktemp("doubling"), extension, "-R", ":", "--leaks-seconds=0.4")


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run with numbers of runs, as pytest-leaks takes them, in two workers."""
    return hunt(tmp_path_factory.mktemp("numbered"), extension, "-R", "3:4", "-n2")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run in which the native engine sees leaks of C."""
    directory = tmp_path_factory.mktemp("watched")
    build_extension(HERE / "extensions" / "leaks.c", directory, "-g")
    made = Suite(directory, directory)
    made.write("pytest.ini", f"{INI}markers = named\n")
    made.copy(SUITES / "leaks")
    some = ("-k", " or ".join(FUNCTIONS), "test_extension.py")
    return made.run("-R", ":", "--leaks-seconds=0.2", "--heapcheck", *some)


def listed(run: Run) -> dict[str, str]:
    """Return the lines of the summary, by the name of the test."""
    _, _, rest = run.output.partition(" leaks summary ")
    lines = rest.partition("\n===")[0].splitlines()[1:]
    found = (re.fullmatch(r"\S*::(\S+): (.*)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("name", LEAKS)
def test_leak_fails_its_test(doubling: Run, name: str) -> None:
    """The failure and the summary say what grows."""
    what, _ = LEAKS[name]
    assert doubling[name].outcome == "failed"
    assert doubling[name].message.startswith("[LEAKED] ")
    assert re.search(rf"\b{what}: \+[\d.]+", doubling[name].text)
    assert re.match(rf"leaked .*\b{what}: \[[\d, ]+\]", listed(doubling)[name])


@pytest.mark.parametrize("name", LEAKS)
def test_leak_is_named(doubling: Run, name: str) -> None:
    """Objects by their type and where they are kept, the rest by the line that makes it."""
    _, words = LEAKS[name]
    pattern = re.escape(words).replace("LINE", r"\d+")
    assert re.search(pattern, doubling[name].text)
    assert re.search(pattern, listed(doubling)[name])


def test_line_that_takes_a_reference_is_named(doubling: Run) -> None:
    """There is nothing new, and nothing that grows."""
    text = doubling["test_leaks_reference"].text
    assert re.search(r"^taken at test_hunted\.py:\d+ in test_leaks_reference$", text, re.MULTILINE)


@pytest.mark.parametrize("name", PASSED)
def test_innocent_passes(doubling: Run, name: str) -> None:
    """Nothing is said about it."""
    assert doubling[name].outcome == "passed"
    assert name not in listed(doubling)


@pytest.mark.parametrize("name", FAILED)
def test_failure_is_reported(doubling: Run, name: str) -> None:
    """In whichever run it was; tests after it have their fixtures."""
    assert doubling[name].outcome == "failed"
    assert FAILED[name] in doubling[name].text
    assert name not in listed(doubling)


def test_failure_of_a_teardown_is_reported(doubling: Run) -> None:
    """It is the third run whose fixture fails."""
    assert doubling["test_fails_in_the_end"].outcome == "error"
    assert 'assert run_of("end") < 3' in doubling["test_fails_in_the_end"].text


def test_leaks_have_a_status(doubling: Run) -> None:
    """The word is that of pytest-leaks."""
    assert "::test_leaks_dict LEAKED" in doubling.output
    assert "::test_nothing PASSED" in doubling.output


def test_known_leak_is_expected(doubling: Run) -> None:
    """It is listed, and does not fail."""
    assert doubling[KNOWN].outcome == "skipped"
    assert "issue 7 [LEAKED]" in doubling[KNOWN].message
    assert listed(doubling)[KNOWN].startswith("leaked ")


def test_marked_test_is_listed_and_not_repeated(doubling: Run) -> None:
    """The words are those of pytest-leaks."""
    assert listed(doubling)[LISTED] == "leaked (not checked): 'something'"


def test_what_is_printed_is_shown_once(doubling: Run) -> None:
    """The output of repetitions is not in the report."""
    shown = doubling.output.partition("_ test_fails_and_prints _")[2].partition("\n___")[0]
    assert shown.count("\nprinted once\n") == 1


def test_property_is_recorded_once(doubling: Run) -> None:
    """Repetitions leave none."""
    assert dict(doubling["test_property"].properties) == {"given": "once"}


def test_leak_is_a_property(doubling: Run) -> None:
    """For readers of JUnit XML."""
    assert doubling["test_leaks_dict"].properties["leaks"].startswith("leaked ")


def test_leaks_by_numbers_are_listed(numbered: Run) -> None:
    """A growth for each run; workers send it with their reports."""
    assert re.search(r"\bmemory blocks: \[\d, \d, \d, \d\]", listed(numbered)["test_leaks_dict"])
    assert "LEAKED" in numbered.output


def test_leaks_by_numbers_fail_nothing(numbered: Run) -> None:
    """So it is with pytest-leaks."""
    failed = {name for name, case in numbered.cases.items() if case.outcome == "failed"}
    assert failed == set(FAILED)


@pytest.mark.parametrize("name", [name for name in LEAKS if name != "test_leaks_rarely"])
def test_leak_is_found_by_numbers(numbered: Run, name: str) -> None:
    """By what grows in each of four runs."""
    assert LEAKS[name][0] in listed(numbered)[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_of_c_is_named(watched: Run, name: str) -> None:
    """The engine knows which one allocates, and debug information its line."""
    function, what = FUNCTIONS[name]
    pattern = rf"{what} more a run: made by {function} \(leaks\.c:\d+\)"
    assert re.search(pattern, watched[name].text)
