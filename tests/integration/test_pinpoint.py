"""Python lines, by further runs of failing tests, and Python functions in C stacks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conftest import INI
from pinpoint_rows import LINES, TESTS, line_of, lines_of, places
from suite import CONTAINED, Run, Suite, can_be_contained

#: Each defect takes several further runs of its test: the others are of the slow tests.
FEW = (
    *("test_clean", "test_reference_to_local_variable", "test_memory", "test_error"),
    *("test_only_the_first_time", "test_still_here"),
)


def run_pinpointed(made: Suite, chosen: str) -> Run:
    """Run those of the tests that an expression names (``-k``)."""
    made.write("pytest.ini", INI)
    made.write("test_lines.py", TESTS)
    # Digits of process ids stand in the path of the log, too, as they do in containers.
    temporary = made.directory / "d0123456789"
    temporary.mkdir()
    return made.run(
        *("--valgrind", "--valgrind-pinpoint", "-rA", "-k", chosen),
        before=CONTAINED if can_be_contained() else (),
        environment={"TMPDIR": str(temporary)},
    )


@pytest.fixture(scope="module")
def pinpointed(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of a few tests."""
    return run_pinpointed(Suite(tmp_path_factory.mktemp("pinpointed"), extension), " or ".join(FEW))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of the others."""
    chosen = f"not ({' or '.join(FEW)})"
    return run_pinpointed(Suite(tmp_path_factory.mktemp("others"), extension), chosen)


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run with Python functions in C stacks."""
    made = Suite(tmp_path_factory.mktemp("functions"), extension)
    made.write("pytest.ini", INI)
    made.write("test_lines.py", TESTS)
    return made.run("--valgrind", "--valgrind-python-frames", "-k", "memory or callee")


@pytest.mark.parametrize("name", [name for name in LINES if name in FEW])
def test_lines(pinpointed: Run, name: str) -> None:
    """A line of a function that the test calls comes before the line that calls it."""
    assert lines_of(pinpointed, name) == places(LINES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LINES if name not in FEW])
def test_lines_of_others(others: Run, name: str) -> None:
    """They are as well known in callees, loops and fixtures."""
    assert lines_of(others, name) == places(LINES[name])


def test_line_of_an_error(pinpointed: Run) -> None:
    """It is the one at which valgrind saw it."""
    lines = places([("test_error", "decide_uninitialised()")])
    assert lines_of(pinpointed, "test_error") == lines


@pytest.mark.slow
def test_line_of_a_write_to_freed_memory(others: Run) -> None:
    """It is the one that wrote, too."""
    lines = places([("test_written_after_free", "write_after_free()")])
    assert lines_of(others, "test_written_after_free") == lines


def test_source_of_a_line(pinpointed: Run) -> None:
    """It stands below."""
    assert "in test_memory\n      defective.leak(100)\n" in f"{pinpointed['test_memory'].text}\n"


@pytest.mark.slow
def test_lines_of_two_errors(others: Run) -> None:
    """Each has its own."""
    name = "test_two_errors"
    lines = [(name, "decide_uninitialised()"), (name, "read_past_end()")]
    assert sorted(lines_of(others, name)) == places(lines)


def test_short_process_ids(pinpointed: Run) -> None:
    """Digits in the name of a directory are not taken for one."""
    assert "INTERNALERROR" not in pinpointed.output
    assert "list: " in pinpointed["test_reference_to_local_variable"].text
    (log,) = (line for line in pinpointed.summary if line.startswith("log: "))
    assert "/d0123456789/pytest-valgrind-" in log
    assert len(re.findall(r"\d+", Path(log).name)[0]) < 3 or not can_be_contained()


def test_not_reproduced(pinpointed: Run) -> None:
    """The failure says so, and keeps the finding."""
    text = pinpointed["test_only_the_first_time"].text
    assert "30 bytes in 1 block is definitely lost" in text
    assert "Python line unknown: it did not happen again when the test ran once more" in text


def test_process_is_left_alone(pinpointed: Run) -> None:
    """Fixtures are still there, no child is left, and nothing is printed twice."""
    assert pinpointed["test_still_here"].outcome == "passed"
    assert pinpointed.output.count("printed once") == 1


@pytest.mark.slow
def test_hint_names_the_option(functions: Run) -> None:
    """It is given where something was found without it."""
    assert "hint: --memory-pinpoint says which line of Python lost it" in functions.summary


@pytest.mark.slow
def test_functions_in_native_stacks(functions: Run) -> None:
    """They follow the extension's frames, with file and line, and the interpreter is left out."""
    text = functions["test_memory"].text
    start = line_of("test_memory", "def test_memory")
    stack = re.search(r"^  > leak \(defective\.c:\d+\)\n(.*\n)(.*\n)", text, re.MULTILINE)
    assert stack is not None
    assert "malloc" in stack[1]
    assert re.fullmatch(rf"  py test_memory \(\S*/test_lines.py:{start}\)\n", stack[2])


@pytest.mark.slow
def test_functions_where_a_reference_was_made(functions: Run) -> None:
    """The stack of a list says which function made it."""
    text = functions["test_reference_in_callee"].text
    assert re.search(r"  py lose_copy \(\S*/test_lines.py:5\)\n  py test_reference_in_callee", text)


@pytest.mark.slow
def test_functions_in_a_classic_command_line(suite: Suite, native: list[str]) -> None:
    """The process itself numbers them, and leaves no file behind."""
    suite.write("test_one.py", "import defective\ndef test_one(): defective.leak(1)\n")
    log = suite.directory / "valgrind.log"
    run = suite.run(
        "--valgrind",
        f"--valgrind-log={log}",
        "--valgrind-python-frames",
        before=("valgrind", "--num-callers=100", f"--log-file={log}"),
        environment={"PYTHONMALLOC": "malloc", "TMPDIR": str(suite.directory)},
        python=native,
    )
    assert re.search(r"  py test_one \(\S*/test_one.py:2\)", run["test_one"].text)
    assert not list(suite.directory.glob("pytest-valgrind-functions-*"))


@pytest.mark.slow
def test_functions_of_a_process_that_died(suite: Suite) -> None:
    """The report of the crash names them."""
    suite.write("test_one.py", "import defective\ndef test_one(): defective.crash()\n")
    run = suite.run("--valgrind", "--valgrind-python-frames")
    assert re.search(r"  py test_one \(\S*/test_one.py:2\)", run["test_one"].text)


@pytest.mark.slow
def test_functions_of_a_forked_child(suite: Suite) -> None:
    """What a child calls for the first time is not taken for one of its parent's functions."""
    suite.write(
        "test_one.py",
        "import os, defective\n"
        "def in_child(): pass\n"
        "def in_parent(): defective.leak(1)\n"
        "def test_one():\n"
        "    if (pid := os.fork()) == 0:\n"
        "        in_child()\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "    in_parent()\n",
    )
    run = suite.run("--valgrind", "--valgrind-python-frames")
    assert "py in_parent (" in run["test_one"].text
    assert "py in_child (" not in run["test_one"].text
    assert os.fspath(suite.directory) in run["test_one"].text


@pytest.mark.slow
def test_source_of_the_extension(functions: Run) -> None:
    """It stands below the frame, if the file is at hand."""
    assert "hidden = malloc((size_t)size);" in functions["test_memory"].text
