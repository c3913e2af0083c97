"""Mistakes that show natively, before anything starts under valgrind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from suite import Run, Suite

CLEAN = "def test_clean():\n    pass\n"
#: Stands for valgrind where it must not be started; it would say so.
NOT_TO_BE_STARTED = "#!/bin/sh\n[ $1 = --version ] || echo started >&2\n"


@pytest.fixture
def unstarted(suite: Suite) -> Suite:
    """Return a suite with a test, and a valgrind that must not be started."""
    suite.write("test_clean.py", CLEAN)
    program = suite.directory / "valgrind"
    program.write_text(NOT_TO_BE_STARTED)
    program.chmod(0o755)
    return suite


def run(suite: Suite, *options: str) -> Run:
    """Run natively, and expect that valgrind is not started."""
    path = f"{suite.directory}:{os.environ['PATH']}"
    done = suite.run("--valgrind", *options, environment={"PATH": path})
    assert "started" not in done.errors
    return done


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--maxfail=many"], "invalid int value: 'many'"),
        (["test_missing.py"], "file or directory not found: test_missing.py"),
        (["test_missing.py::test_a[1]"], "file or directory not found: test_missing.py::test_a[1]"),
        (["-k", "a and"], "Wrong expression passed to '-k': a and"),
        (["-m", "("], "Wrong expression passed to '-m': ("),
        (["-c", "missing.ini"], "missing.ini"),
        (["--rootdir=missing"], "missing"),
    ],
)
def test_command_line(unstarted: Suite, options: list[str], words: str) -> None:
    """The words are those that pytest says natively."""
    done = run(unstarted, *options)
    assert words in done.errors
    assert done.code == pytest.ExitCode.USAGE_ERROR


def test_conftest_that_raises(unstarted: Suite) -> None:
    """Its traceback is the one that pytest shows natively."""
    unstarted.write("conftest.py", "def f():\n    raise ValueError('deep')\nf()\n")
    done = run(unstarted)
    assert "conftest.py:2: in f" in done.errors
    assert "ValueError: deep" in done.errors
    assert done.code == pytest.ExitCode.USAGE_ERROR


def test_what_is_no_mistake(unstarted: Suite) -> None:
    """Options of a conftest, packages and node ids let valgrind start."""
    unstarted.write(
        "conftest.py", "def pytest_addoption(parser):\n    parser.addoption('--mine')\n"
    )
    path = f"{unstarted.directory}:{os.environ['PATH']}"
    for options in (["--mine=1", "test_clean.py::test_clean"], ["--pyargs", "json"], ["-k", "x"]):
        done = unstarted.run("--valgrind", *options, environment={"PATH": path})
        assert "valgrind did not start" in done.errors, done.errors


def test_nothing_stays(unstarted: Suite, tmp_path: Path) -> None:
    """What the conftest did to its process is gone, and its cleanup has run."""
    unstarted.write(
        "conftest.py",
        "import atexit, os\nopen('left', 'x').close()\natexit.register(os.remove, 'left')\n",
    )
    path = f"{unstarted.directory}:{os.environ['PATH']}"
    unstarted.run("--valgrind", environment={"PATH": path})
    assert not (tmp_path / "left").exists()
