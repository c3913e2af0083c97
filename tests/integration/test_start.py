"""What a start under valgrind takes: 10 to 50 ms for each module, and 5 to 20 for each pattern."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Imports the checker, and prints the modules that came with it and the patterns in them.
IMPORT = """
import json, re, sys
import pytest, _pytest.faulthandler, _pytest.junitxml, _pytest.python, _pytest.terminal

compiled, compile_it = [], re.compile
def count(pattern, flags=0):
    compiled.append(pattern)
    return compile_it(pattern, flags)
re.compile, before = count, set(sys.modules)
import pytest_valgrind.session.checker, pytest_valgrind.settings
import pytest_valgrind.session.memcheck, pytest_valgrind.session.process
print(json.dumps([sorted(set(sys.modules) - before), len(compiled)]))
"""
OF_OPTIONS = ("children", "origins", "pinpoint", "heap")
OF_OTHER_PROCESSES = (
    *("workers", "false_alarms.calibration", "launching.launcher"),
    *("recovery.history", "recovery.post_mortem", "recovery.replay"),
)


@pytest.fixture(scope="module")
def imported() -> tuple[set[str], int]:
    """Return the modules that a start imports, and how many patterns it compiles."""
    command = [sys.executable, "-c", IMPORT]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    modules, patterns = json.loads(output)
    return set(modules), patterns


def test_modules_of_options_that_are_not_given(imported: tuple[set[str], int]) -> None:
    """They are not imported, and neither is what only other processes need."""
    modules, _ = imported
    unwanted = {f"pytest_valgrind.{name}" for name in (*OF_OPTIONS, *OF_OTHER_PROCESSES)}
    assert "pytest_valgrind.session.item_runner" in modules
    assert not modules & {*unwanted, "ctypes", "pickle", "subprocess", "hashlib"}


def test_patterns_of_what_is_not_found(imported: tuple[set[str], int]) -> None:
    """They are compiled when there is something to read."""
    _, patterns = imported
    assert patterns <= 8
