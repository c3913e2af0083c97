"""Python lines, by further runs of failing tests, and Python functions in C stacks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conftest import INI
from suite import CONTAINED, Run, Suite, can_be_contained

TESTS = """\
import os
import pytest
import defective

def lose_copy(items):
    copy = list(items)
    defective.leak_reference(copy)
    return copy

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "file"
    path.write_text("here")
    yield path
    path.unlink()

def test_clean(shared):
    print("printed once")

def test_reference_to_local_variable():
    items = [1, 2, object()]
    defective.leak_reference(items)
    other = [3]
    assert items

def test_reference_in_callee(shared):
    assert shared.exists()
    kept = lose_copy([1, 2])
    assert kept

def test_memory(shared):
    before = 1
    defective.leak(100)
    after = 2

def test_loop():
    for number in range(40):
        if number == 27:
            defective.leak(50)

def test_error():
    values = [1]
    defective.decide_uninitialised()
    assert values

def test_two_errors():
    defective.decide_uninitialised()
    defective.read_past_end()

def test_only_the_first_time():
    if "LOST" not in os.environ:
        os.environ["LOST"] = "1"
        defective.leak(30)

@pytest.fixture
def losing():
    yield
    defective.leak(40)

def test_lost_in_teardown(losing):
    pass

def test_still_here(shared):
    assert shared.read_text() == "here"
    with pytest.raises(ChildProcessError):
        os.wait()
"""


@pytest.fixture(scope="module")
def pinpointed(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of these tests."""
    made = Suite(tmp_path_factory.mktemp("pinpointed"), extension)
    made.write("pytest.ini", INI)
    made.write("test_lines.py", TESTS)
    # Digits of process ids stand in the path of the log, too, as they do in containers.
    temporary = made.directory / "d0123456789"
    temporary.mkdir()
    return made.run(
        *("--valgrind", "--valgrind-pinpoint", "-rA"),
        before=CONTAINED if can_be_contained() else (),
        environment={"TMPDIR": str(temporary)},
    )


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run with Python functions in C stacks."""
    made = Suite(tmp_path_factory.mktemp("functions"), extension)
    made.write("pytest.ini", INI)
    made.write("test_lines.py", TESTS)
    return made.run("--valgrind", "--valgrind-python-frames", "-k", "memory or callee")


def line_of(text: str, after: str) -> int:
    """Return the number of the first line with a text, after the one with another."""
    lines = TESTS.splitlines()
    start = lines.index(after)
    return start + 1 + next(n for n, line in enumerate(lines[start:]) if text in line)


def lines_of(run: Run, name: str) -> list[str]:
    """Return the lines of Python in a failure."""
    return re.findall(r"^  > \S*/(test_lines.py:\d+ in .+)$", run[name].text, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("test_reference_to_local_variable", "leak_reference(items)"),
        ("test_memory", "defective.leak(100)"),
        ("test_loop", "defective.leak(50)"),
        ("test_error", "decide_uninitialised()"),
    ],
)
def test_line_of_the_test(pinpointed: Run, name: str, call: str) -> None:
    """The failure shows it, with its source."""
    definition = next(line for line in TESTS.splitlines() if f"def {name}(" in line)
    line = line_of(call, definition)
    assert lines_of(pinpointed, name) == [f"test_lines.py:{line} in {name}"]
    assert f"      {TESTS.splitlines()[line - 1].strip()}\n" in pinpointed[name].text


def test_line_of_a_function_that_the_test_calls(pinpointed: Run) -> None:
    """It comes before the line that calls it."""
    name = "test_reference_in_callee"
    inner = line_of("leak_reference(copy)", "def lose_copy(items):")
    outer = line_of("lose_copy([1, 2])", f"def {name}(shared):")
    assert lines_of(pinpointed, name) == [
        f"test_lines.py:{inner} in lose_copy",
        f"test_lines.py:{outer} in {name}",
    ]


def test_lines_of_two_errors(pinpointed: Run) -> None:
    """Each has its own."""
    name = "test_two_errors"
    first = line_of("decide_uninitialised()", f"def {name}():")
    assert sorted(lines_of(pinpointed, name)) == [
        f"test_lines.py:{first} in {name}",
        f"test_lines.py:{first + 1} in {name}",
    ]


def test_short_process_ids(pinpointed: Run) -> None:
    """Digits in the name of a directory are not taken for one."""
    assert "INTERNALERROR" not in pinpointed.output
    assert "list: " in pinpointed["test_reference_to_local_variable"].text
    (log,) = (line for line in pinpointed.summary if line.startswith("log: "))
    assert "/d0123456789/pytest-valgrind-" in log
    assert len(re.findall(r"\d+", Path(log).name)[0]) < 3 or not can_be_contained()


def test_line_of_a_fixture(pinpointed: Run) -> None:
    """A fixture's lines are looked at as a test's are."""
    line = line_of("leak(40)", "def losing():")
    assert lines_of(pinpointed, "test_lost_in_teardown") == [f"test_lines.py:{line} in losing"]


def test_not_reproduced(pinpointed: Run) -> None:
    """The failure says so, and keeps the finding."""
    text = pinpointed["test_only_the_first_time"].text
    assert "30 bytes in 1 block is definitely lost" in text
    assert "Python line unknown: it did not happen again when the test ran once more" in text


def test_process_is_left_alone(pinpointed: Run) -> None:
    """Fixtures are still there, no child is left, and nothing is printed twice."""
    assert pinpointed["test_still_here"].outcome == "passed"
    assert pinpointed.output.count("printed once") == 1


def test_hint_names_the_option(functions: Run) -> None:
    """It is given where something was found without it."""
    assert "hint: --memory-pinpoint says which line of Python it was" in functions.summary


def test_functions_in_native_stacks(functions: Run) -> None:
    """They follow the extension's frames, with file and line, and the interpreter is left out."""
    text = functions["test_memory"].text
    start = line_of("def test_memory", "def test_memory(shared):")
    stack = re.search(r"^  > leak \(defective\.c:\d+\)\n(.*\n)(.*\n)", text, re.MULTILINE)
    assert stack is not None
    assert "malloc" in stack[1]
    assert re.fullmatch(rf"  py test_memory \(\S*/test_lines.py:{start}\)\n", stack[2])


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


def test_functions_of_a_process_that_died(suite: Suite) -> None:
    """The report of the crash names them."""
    suite.write("test_one.py", "import defective\ndef test_one(): defective.crash()\n")
    run = suite.run("--valgrind", "--valgrind-python-frames")
    assert re.search(r"  py test_one \(\S*/test_one.py:2\)", run["test_one"].text)


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


def test_source_of_the_extension(functions: Run) -> None:
    """It stands below the frame, if the file is at hand."""
    assert "hidden = malloc((size_t)size);" in functions["test_memory"].text
