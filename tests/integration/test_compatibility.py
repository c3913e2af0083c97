"""The nine tests of 0.x's example, from the one command and from 0.x's own command lines."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from suite import Run, Suite

TOTALS = "4 failed, 2 passed, 3 xfailed"
FAILED = {
    "test_valgrind_error": ("[VALGRIND ERROR]", "access_invalid (defects.c:"),
    "test_valgrind_leak": ("[VALGRIND LEAK]", "create_leak (defects.c:"),
    "test_valgrind_error_and_leak": ("[VALGRIND ERROR+LEAK]", "create_leak (defects.c:"),
    "test_valgrind_leak_ignored_but_errors_as_well": (
        "[VALGRIND ERROR+LEAK]",
        "access_invalid (defects.c:",
    ),
}
MALLOC = {"PYTHONMALLOC": "malloc"}

SUPPRESSION = "{\n   nothing\n   Memcheck:Addr16\n   fun:no_such_function\n}\n"

CLASSIC = {
    "plain": (
        ["--show-leak-kinds=definite", "--log-file=F"],
        ["-vv", "--valgrind", "--valgrind-log=F"],
    ),
    "full": (
        [
            "--suppressions=S",
            "--leak-check=full",
            "--show-leak-kinds=definite,indirect",
            "--log-file=F",
        ],
        ["--valgrind", "--valgrind-log=F", "."],
    ),
    "without the log's name": (
        ["--show-leak-kinds=definite", "--log-file=F"],
        ["--valgrind", "--continue-on-collection-errors", "--memcheck-before-func"],
    ),
}


@pytest.fixture(scope="module")
def one_command(example: Suite) -> Run:
    """Return the run from the one command."""
    return example.run("--valgrind")


@pytest.fixture(
    scope="module",
    params=["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in list(CLASSIC)[1:])],
)
def classic(example: Suite, request: pytest.FixtureRequest) -> Run:
    """Return the run from a command line of 0.x."""
    options, rest = CLASSIC[request.param]
    return run_classic(example, options, rest, MALLOC)


def run_classic(
    example: Suite, options: list[str], rest: list[str], environment: Mapping[str, str]
) -> Run:
    """Run a command line of 0.x."""
    example.write("S", SUPPRESSION)
    return example.run(*rest, before=["valgrind", *options], environment=environment)


def assert_failures_show_where(run: Run) -> None:
    """Expect each failure to show a C frame with file and line, and valgrind's own lines."""
    for name, (header, frame) in FAILED.items():
        text = run[name].text
        assert text.startswith(header)
        assert frame in text
        assert "==    at 0x" in text


def test_one_command(one_command: Run) -> None:
    """Its outcomes are those of 0.x."""
    assert one_command.totals.startswith(TOTALS)
    assert_failures_show_where(one_command)


def test_classic_command_lines(classic: Run) -> None:
    """Their outcomes are those of 0.x."""
    assert classic.totals.startswith(TOTALS)
    assert_failures_show_where(classic)


@pytest.mark.slow
def test_without_leak_checks(example: Suite) -> None:
    """Only errors are left."""
    options = ["--suppressions=S", "--leak-check=no", "--log-file=F"]
    rest = ["--no-memcheck", "-vv", "--valgrind", "--valgrind-log=F"]
    run = run_classic(example, options, rest, MALLOC)
    outcomes = {name: case.outcome for name, case in run.cases.items()}
    assert outcomes == {
        "test_all_good": "passed",
        "test_fails_but_valgrind_good": "skipped",
        "test_valgrind_error": "failed",
        "test_valgrind_leak": "passed",
        "test_valgrind_error_and_leak": "failed",
        "test_valgrind_leak_ignored": "passed",
        "test_valgrind_error_ignored": "skipped",
        "test_valgrind_leak_ignored_but_errors_as_well": "failed",
        "test_another_good_test": "passed",
    }


@pytest.mark.slow
def test_without_log(example: Suite) -> None:
    """Where valgrind writes to the terminal, tests fail without an excerpt."""
    run = run_classic(example, ["--show-leak-kinds=definite"], ["--valgrind"], MALLOC)
    assert run.totals.startswith(TOTALS)
    assert "no log file" in run["test_valgrind_error"].text
    assert "8 bytes" in run["test_valgrind_leak"].message


def test_names_of_0x(suite: Suite) -> None:
    """Users import them, and look for the checker by its name."""
    suite.write(
        "test_names.py",
        "import pytest\n"
        "import pytest_valgrind\n"
        "from pytest_valgrind.valgrind import (running_valgrind, get_valgrind_num_errs,\n"
        "    do_leak_check, print_to_valgrind_log, create_leak, access_invalid)\n"
        "@pytest.mark.valgrind_known_error\n"
        "@pytest.mark.valgrind_known_leak\n"
        "def test_names(request):\n"
        "    assert pytest_valgrind.running_on_valgrind()\n"
        "    assert running_valgrind() == 1\n"
        "    assert request.config.pluginmanager.has_plugin('valgrind_checker')\n"
        "    errors = get_valgrind_num_errs()\n"
        "    access_invalid()\n"
        "    assert get_valgrind_num_errs() > errors\n"
        "    lost = do_leak_check()\n"
        "    create_leak()\n"
        "    assert do_leak_check() == lost + 8\n"
        "    print_to_valgrind_log(b'a line of the test')\n"
        "    with pytest.raises(TypeError):\n"
        "        print_to_valgrind_log('no bytes')\n",
    )
    log = suite.directory / "log"
    run = suite.run("--valgrind", "--valgrind-failures=report", f"--valgrind-log={log}")
    assert run.code == pytest.ExitCode.OK, run.output
    assert "** a line of the test" in log.read_text()
