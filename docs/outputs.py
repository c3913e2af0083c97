"""Real output for README.md and docs/, put there by ``make docs``."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pytest_valgrind.option_table import GROUPS, OPTIONS
from pytest_valgrind.options import Option

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pytest_valgrind"
#: Wings, and modules beside them, from the top down: tests/unit/test_house.py checks the imports.
WINGS = (
    *("plugin", "checks", "report_files", "limits", "memory_log", "session", "workers"),
    *("launching", "recovery", "origins", "children", "pinpoint", "hunt", "false_alarms"),
    *("around_call", "resources", "heap", "memcheck", "leaks", "objects", "items", "reporting"),
    *("settings", "option_table", "options_of_checks", "options_of_hunts", "options_of_memcheck"),
    *(
        "options_of_reports",
        "options",
        "option_paths",
        "option_types",
        "findings",
        "markers",
        "pytest_internals",
        "pytest_phases",
    ),
    *("session_kind", "command", "fork", "memory_size", "parent_death", "standard_library"),
    *("user_code", "preload", "package", "valgrind", "client"),
)


def example(*tests: str) -> str:
    """Return the failures of tests of the example."""
    text = _example_run()
    shown = [
        re.search(rf"^_+ {test} _+$.*?(?=^_|^=)", text, re.MULTILINE | re.DOTALL) for test in tests
    ]
    assert all(shown), text
    return _fenced("".join(failure[0] for failure in shown if failure))


def example_summary() -> str:
    """Return the section of the summary about the example."""
    match = re.search(r"^=+ valgrind =+$.*?(?=^=)", _example_run(), re.MULTILINE | re.DOTALL)
    assert match
    return _fenced(match[0])


def example_header() -> str:
    """Return the lines about valgrind above the tests."""
    return _fenced("\n".join(re.findall(r"^valgrind: .*$", _example_run(), re.MULTILINE)))


def heap_failures() -> str:
    """Return the failures and the summary of tests that lose and damage memory natively."""
    test = (
        "import defective\n\n"
        "def test_lost_list():\n"
        "    records = [{'id': number} for number in range(3)]\n"
        "    defective.leak_reference(records)\n\n"
        "def test_lost_block():\n"
        "    defective.leak(1000)\n\n"
        "def test_write_after_free():\n"
        "    defective.write_after_free()\n"
    )
    text = _run_project(test, "--heapcheck")
    failures = re.search(r"^_+ test_lost_list _+$.*?(?=^=+ short test)", text, re.M | re.S)
    assert failures, text
    return _fenced(failures[0])


def first_failure() -> str:
    """Return the failure of a test that loses an object, and where."""
    test = (
        "import defective\n\n"
        "def send(records):\n"
        "    defective.leak_reference(list(records))\n\n"
        "def test_send():\n"
        "    send([1000, 1001])\n"
    )
    return _fenced(_heap_failure(test, "test_send", "--memory-pinpoint"))


def workflow() -> str:
    """Return the workflow of GitHub that users copy."""
    return f"```yaml\n{(ROOT / 'docs' / 'examples' / 'memory.yml').read_text()}```\n"


def leftovers() -> str:
    """Return the failure of a test that leaves something, and the summary."""
    test = (
        "import socket\nimport tempfile\n\n"
        "kept = []\n\n"
        "def connect():\n"
        "    return socket.socketpair()[0]\n\n"
        "def test_connection():\n"
        "    kept.append(connect())\n\n"
        "def test_download():\n"
        "    tempfile.mkdtemp(prefix='download-')\n\n"
        "def test_closes():\n"
        "    connect().close()\n"
    )
    text = _run_project(test, "--resources=all", "--resources-fail")
    failures = re.search(r"^_+ ERROR at teardown of test_c.*?(?=^=+ short test)", text, re.M | re.S)
    assert failures, text
    return _fenced(re.sub(r"download-\w+", "download-x", failures[0]))


def _heap_failure(text_of_tests: str, name: str, *options: str) -> str:
    """Return the failure of the last test that fails natively."""
    text = _run_project(text_of_tests, "--heapcheck", *options)
    failure = re.search(rf"^_+ {name} _+$.*?(?=^=+ heapcheck)", text, re.M | re.S)
    assert failure, text
    return failure[0]


def heap_child() -> str:
    """Return the failure of a test whose child process loses a block."""
    test = (
        "import subprocess\n"
        "import sys\n\n"
        "def test_command():\n"
        "    code = 'import defective; defective.leak(41)'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    failure = _heap_failure(test, "test_command", "--memory-trace-children")
    return _fenced(re.sub(r"child process \d+", "child process 4711", failure))


def heap_pinpoint() -> str:
    """Return the failure of a test that loses a reference at a line of its own."""
    test = (
        "import defective\n\n"
        "def send(records):\n"
        "    batch = list(records)\n"
        "    defective.leak_reference(batch)\n\n"
        "def test_send():\n"
        "    records = [1000, 1001]\n"
        "    send(records)\n"
        "    assert records\n"
    )
    return _fenced(_heap_failure(test, "test_send", "--memory-pinpoint"))


_GROWING = """\
import os

kept = []

def test_small():
    pass

def test_service_keeps_its_answers():
    for _ in range(40):
        kept.append(os.urandom(1_000_000))

def test_sorting():
    sorted(range(1_000_000), key=str)
"""
_LIMITED = """\
import pytest

cache = {}


def answer(question):
    if question not in cache:
        cache[question] = bytes(3_000_000)
    return cache[question]


@pytest.mark.limit_memory("100 KB")
def test_squares():
    squares = [n * n for n in range(10_000)]
    assert sum(squares) > 0


@pytest.mark.limit_leaks("1 MB")
def test_answer():
    assert answer("why?")


@pytest.mark.limit_leaks(
    "1 MB", filter_fn=lambda stack: all(frame.function != "answer" for frame in stack.frames)
)
def test_answer_is_cached():
    assert answer("how?")
"""


@cache
def _memory_log() -> tuple[str, str]:
    """Return the summary of the memory log, and the log."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log.jsonl")
        text = _run_project(_GROWING, f"--memory-log={log}", "-p", "no:xdist")
        return text.replace(str(log), "/project/log.jsonl"), log.read_text()


def memory_log() -> str:
    """Return the section of the summary about the memory log."""
    text, _ = _memory_log()
    section = re.search(r"^=+ memory log =+$.*?(?=^=)", text, re.MULTILINE | re.DOTALL)
    assert section, text
    return _fenced(section[0])


def memory_log_line() -> str:
    """Return a line of the log, wrapped."""
    _, log = _memory_log()
    line = next(line for line in log.splitlines() if "test_service" in line)
    return _fenced("\n".join(textwrap.wrap(line, 96)))


def memory_limit_failure() -> str:
    """Return the failure of a test by which the process has grown too much."""
    text = _run_project(_GROWING, "--memory-limit=10MB", "-p", "no:xdist")
    failure = re.search(r"^=+ ERRORS =+$.*\Z", text, re.MULTILINE | re.DOTALL)
    assert failure, text
    return _fenced(failure[0])


def limited_test() -> str:
    """Return a test with limits."""
    return f"```python\n{_LIMITED}```\n"


def limit_failures() -> str:
    """Return the failures of that."""
    text = _run_project(_LIMITED, "--limit-markers")
    failures = re.search(r"^_+ test_squares _+$.*\Z", text, re.MULTILINE | re.DOTALL)
    assert failures, text
    return _fenced(failures[0])


def around_a_call() -> str:
    """Return the failure of a test of a function that loses memory."""
    test = (
        "import defective\n\ndef test_leak(memory_check):\n    memory_check(defective.leak, 100)\n"
    )
    text = _run_project(test, "--heapcheck", "--memory-leak-check=off")
    failure = re.search(r"^_+ test_leak _+$.*?(?=^=+ heapcheck)", text, re.M | re.S)
    assert failure, text
    return _fenced(re.sub(r"0x[0-9a-f]+", "0x7f0123456789", failure[0]))


def hunt_failures() -> str:
    """Return the failures and the summary of tests that leak when they are repeated."""
    test = (
        "import defective, os\n\n"
        "records = []\n\n"
        "def test_list():\n"
        "    records.append({'id': 1})\n\n"
        "def test_block():\n"
        "    defective.leak(1000)\n\n"
        "def test_descriptor():\n"
        "    os.open(os.devnull, os.O_RDONLY)\n"
    )
    text = _run_project(test, "-R", ":")
    failures = re.search(r"^_+ test_list _+$.*?(?=^=+ short test)", text, re.M | re.S)
    assert failures, text
    return _fenced(failures[0])


def table(name: str) -> str:
    """Return a table that a program has printed before."""
    return f"{(ROOT / 'docs' / 'tables' / f'{name}.md').read_text().rstrip()}\n"


def hang() -> str:
    """Return the failure of a test that waits for ever in an extension."""
    test = "import defective\n\ndef test_wait():\n    defective.wait_for_signal()\n"
    text = _run_project(test, "--valgrind", "--valgrind-timeout=3")
    failure = re.search(r"^_+ test_wait _+$.*?(?=^=)", text, re.MULTILINE | re.DOTALL)
    assert failure, text
    return _fenced(failure[0])


def options() -> str:
    """Return a section for each option, from the table of options."""
    parts = []
    for engine, (_, title) in GROUPS.items():
        parts.append(f"## {title[0].upper()}{title[1:]}")
        for option in OPTIONS:
            if option.engine == engine:
                parts += [f"### `{option.usage}`", _wrapped(option.help), _names(option)]
    return "\n" + "\n\n".join(parts) + "\n\n"


def _names(option: Option) -> str:
    """Return how else an option can be given."""
    older = ", ".join(f"`{name}`" for name in (*option.flags[1:], *option.inis[1:]))
    words = f"In the ini file: `{option.inis[0]}`." if option.inis else "Not in the ini file."
    return _wrapped(f"{words} Older names: {older}." if older else words)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_on_hyphens=False, break_long_words=False)


def speed() -> str:
    """Return what ``pytest --valgrind`` costs, from the table that ``make bench`` has printed."""
    lines = [
        "| suite | wall, our options | CPU | wall, valgrind's defaults | CPU | peak memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for section in (ROOT / "docs" / "tables" / "speed.md").read_text().split("### Suite ")[1:]:
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("|")
        ]
        ours = next(row for row in rows if row[0] == "`pytest --valgrind`")
        values = dict(zip(rows[0], ours, strict=True))
        columns = ("wall x options", "CPU x options", "wall x defaults", "CPU x defaults")
        cells = [values[column] for column in (*columns, "peak x options")]
        lines.append(f"| {section.splitlines()[0]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _benchmarked(table: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the suites of a table that ``make tables`` has printed, with the rows of each."""
    text = (ROOT / "docs" / "tables" / f"{table}.md").read_text()
    for section in text.split("### Suite ")[1:]:
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("|")
        ]
        runs = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
        yield section.partition(":")[0], runs


def _native_seconds(runs: list[dict[str, str]]) -> float:
    return next(float(run["CPU s"]) for run in runs if run[""] == "natively")


def heap_cost() -> str:
    """Return what ``pytest --heapcheck`` costs."""
    lines = [
        "| suite | runner | CPU, seconds | times native | outcome |",
        "|---|---|---:|---:|---|",
    ]
    for suite, runs in _benchmarked("heapcheck"):
        native = _native_seconds(runs)
        lines += [
            f"| {suite} | {run['']} | {run['CPU s']} | {float(run['CPU s']) / native:.1f} | "
            f"{run['outcome']} |"
            for run in runs
        ]
    return "\n".join(lines) + "\n"


def costs_of_checks() -> str:
    """Return what the checks beside the engines cost, for each trivial test."""
    lines = ["| runner | CPU, seconds | ms a test more | outcome |", "|---|---:|---:|---|"]
    for _, runs in _benchmarked("checks"):
        native = _native_seconds(runs)
        lines += [
            f"| {run['']} | {run['CPU s']} | "
            f"{(float(run['CPU s']) - native) / int(run['outcome'].split()[0]) * 1000:.2f} | "
            f"{run['outcome']} |"
            for run in runs
        ]
    return "\n".join(lines) + "\n"


def modules() -> str:
    """Return a table of the modules, each with the first line of its docstring."""
    lines = ["| module | what it is about |", "|---|---|"]
    for wing in WINGS:
        if (PACKAGE / wing).is_dir():
            lines.append(f"| **{wing}/** | **{_docstring(PACKAGE / wing / '__init__.py')}** |")
            found = sorted((PACKAGE / wing).glob("[!_]*.py"))
        else:
            path = PACKAGE / f"{wing}.py"
            lines.append(f"| **{_link(path)}** | **{_docstring(path)}** |")
            found = []
        lines += [
            f"| {_link(path)} | {_docstring(path)} |" for path in found if path.stem[0] != "_"
        ]
    return "\n".join(lines) + "\n"


def c_files() -> str:
    """Return a table of the C files, each with the first sentence of its header."""
    lines = ["| file | what it is about |", "|---|---|"]
    for path in sorted((ROOT / "csrc").glob("*.c")):
        header = path.with_suffix(".h")
        described = header if header.exists() else path
        comment = re.match(r"/\*\s+(.*?)\s*(?:\*/|\n\n)", described.read_text(), re.DOTALL)
        assert comment, described
        lines.append(f"| {_link(path)} | {' '.join(comment[1].split())} |")
    return "\n".join(lines) + "\n"


def _link(path: Path) -> str:
    return f"[{path.name}](../{path.relative_to(ROOT)})"


def _docstring(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text, path
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


@cache
def _example_run() -> str:
    command = [sys.executable, "-m", "pytest", "--valgrind", "-p", "no:cacheprovider"]
    directory = ROOT / "example"
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    # The names of temporary files differ from run to run.
    text = re.sub(r"/tmp/pytest-valgrind-\w+/", "/tmp/pytest-valgrind-x/", done.stdout)
    return re.sub(r"/valgrind\.\d+\.log", "/valgrind.1234.log", text)


def _run_project(test: str, *options: str) -> str:
    """Return what a test of the extension in tests/extensions prints."""
    source = ROOT / "tests" / "extensions" / "defective.c"
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory).resolve()
        target = project / f"defective{sysconfig.get_config_var('EXT_SUFFIX')}"
        compiler = ["cc", "-g", "-O1", "-w", "-shared", "-fPIC", "-pthread", f"-I{include}"]
        subprocess.run([*compiler, str(source), "-o", str(target)], check=True)
        (project / "test_project.py").write_text(test)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return done.stdout.replace(str(project), "/project")


def _fenced(text: str) -> str:
    return f"```\n{text.rstrip()}\n```\n"
