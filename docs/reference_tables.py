"""Tables of docs/reference.md, made from the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pytest_valgrind.findings.verdict import LEFTOVER, Outcome, Verdict
from pytest_valgrind.markers import MARKERS, OTHER_MARKERS

PACKAGE = Path(__file__).parent.parent / "pytest_valgrind"
#: What pytest's exit codes mean here. A shell has 128 and the signal's number for a process that a
#: signal has ended.
_EXIT_CODES = {
    pytest.ExitCode.OK: "All tests that were checked passed, or failed as a marker expects.",
    pytest.ExitCode.TESTS_FAILED: "A test failed, by itself or because of a finding; or tests were "
    "not checked, or the process died in one.",
    pytest.ExitCode.INTERRUPTED: "The run was interrupted, or a module could not be collected.",
    pytest.ExitCode.INTERNAL_ERROR: "An error in pytest or a plugin. Please report it if it is "
    "ours.",
    pytest.ExitCode.USAGE_ERROR: "The command line or the ini file makes no sense, or an engine "
    "cannot start: the message says why, and what to do.",
    pytest.ExitCode.NO_TESTS_COLLECTED: "There was no test to run.",
}


def markers() -> str:
    """Return a table of the markers."""
    declared = {f"{name}(reason=None)": meaning for name, meaning in MARKERS.items()}
    rows = [
        f"| `{name}` | {_sentence(meaning)} |"
        for name, meaning in (declared | OTHER_MARKERS).items()
    ]
    return _table("| marker | meaning |", rows)


def fixtures() -> str:
    """Return a table of the fixtures, each with its docstring."""
    tree = ast.parse((PACKAGE / "plugin.py").read_text())
    rows = [
        f"| `{node.name}` | {(ast.get_docstring(node) or '').replace('``', '`')} |"
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator) == "pytest.fixture" for decorator in node.decorator_list)
    ]
    return _table("| fixture | what it does |", rows)


def exit_codes() -> str:
    """Return a table of the exit codes."""
    rows = [f"| {code.value} | {meaning} |" for code, meaning in _EXIT_CODES.items()]
    return _table("| exit code | meaning |", rows)


def properties() -> str:
    """Return a table of the properties that tests have in JUnit XML."""
    found = {
        "[VALGRIND LEAK]": "What was found under valgrind.",
        "[HEAP LEAK]": "What was found by `--heapcheck`.",
        LEFTOVER: "What the test left behind, with `--resources`.",
    }
    rows = [
        f"| `{Verdict(Outcome.FAILED, header).property_name}` | {meaning} |"
        for header, meaning in found.items()
    ]
    rows.append("| `leaks` | What grew when the test was repeated, with `-R`. |")
    return _table("| property | meaning |", rows)


def _sentence(text: str) -> str:
    text = f"{text[:1].upper()}{text[1:]}"
    # What is written in code stays code, and no bar ends a cell.
    return re.sub(r"(?<!`)(--[\w-]+)", r"`\1`", text).replace("|", r"\|")


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]) + "\n"
