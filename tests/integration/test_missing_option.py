"""Options of ours that are given without the one that they belong to."""

from __future__ import annotations

import pytest
from suite import Suite

WORDS = "without effect, as --valgrind is missing"


@pytest.mark.parametrize("before", [(), ("valgrind", "--tool=none", "-q")])
def test_warning(suite: Suite, before: tuple[str, ...]) -> None:
    """It is given natively and where valgrind was started by hand, and the tests run."""
    suite.write("test_it.py", "def test_it(): pass\n")
    run = suite.run("--valgrind-leak-check=exact", "--valgrind-pinpoint", before=before)
    assert run.code == pytest.ExitCode.OK
    assert f"--valgrind-leak-check, --valgrind-pinpoint: {WORDS}" in run.output
    assert "1 passed, 1 warning" in run.totals


def test_warning_that_is_an_error(suite: Suite) -> None:
    """It stops pytest with one sentence."""
    run = suite.run("--no-memcheck", "-W", "error")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert f"--no-memcheck: {WORDS}." in run.errors
    assert "Traceback" not in run.errors + run.output


def test_warning_with_workers(suite: Suite) -> None:
    """There is only one."""
    pytest.importorskip("xdist")
    suite.write("test_it.py", "def test_it(): pass\n")
    assert suite.run("--valgrind-strict", "-n", "2").output.count(WORDS) == 1


def test_no_warning(suite: Suite) -> None:
    """Ini values say what holds once the option is given."""
    suite.write("pytest.ini", "[pytest]\naddopts = --valgrind-timeout=5\nvalgrind_strict = true\n")
    suite.write("test_it.py", "def test_it(): pass\n")
    run = suite.run()
    assert run.code == pytest.ExitCode.OK
    assert "1 passed" in run.totals
    assert WORDS not in run.output
