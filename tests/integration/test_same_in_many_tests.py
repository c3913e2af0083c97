"""A defect that many tests show is shown in full once, wherever these tests ran."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from heapcheck_runs import lost_bytes, native_suite, run_natively, section
from suite import Run

#: The same C stack in each, and a size and a line of Python of its own.
TESTS = """
import defective
import pytest

@pytest.mark.parametrize("size", [41, 42, 43, 44])
def test_block(size):
    defective.leak(size)

def test_damage():
    defective.write_after_free()

def test_clean():
    pass
"""
DIES = """
import os
import defective

def test_before():
    defective.leak(45)

def test_before_as_well():
    defective.leak(46)

def test_dies():
    os.abort()
"""
SIZES = {f"test_block[{size}]": size for size in (41, 42, 43, 44)}
STACK = "  > leak (defective.c:"
SAME = r"  the same as in (test_\w+\.py::\S+): leak \(defective\.c:\d+\)"


def failures(run: Run) -> dict[str, str]:
    """Return what the terminal shows below the title of each failure."""
    _, _, shown = run.output.partition("= FAILURES =")
    shown, *_ = re.split(r"\n===|\n-+ generated xml", shown)
    parts = re.split(r"^_+ (\S+) _+$", shown, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module", params=["", "-n2"], ids=["alone", "workers"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path
) -> Run:
    """Return the run of tests with one defect, in one process and in two."""
    options = [request.param] if request.param else []
    made = native_suite(tmp_path_factory.mktemp("short"), extension, {"test_it.py": TESTS})
    return run_natively(made, *options)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of tests that another session reports, as theirs has died."""
    made = native_suite(tmp_path_factory.mktemp("replayed"), extension, {"test_dies.py": DIES})
    return run_natively(made, "--memory-leak-check=exact")


def test_one_failure_has_the_stack(run: Run) -> None:
    """It says how many more there are."""
    (full,) = [text for name, text in failures(run).items() if name in SIZES and STACK in text]
    assert "\n  the same in 3 more tests" in full


def test_other_failures_name_it(run: Run) -> None:
    """They have their own size, and their own line of Python."""
    shown = failures(run)
    (first,) = [name for name in SIZES if STACK in shown[name]]
    for name in SIZES.keys() - {first}:
        match = re.search(SAME, shown[name])
        assert match
        assert match[1] == f"test_it.py::{first}"
        assert lost_bytes(shown[name]) == [SIZES[name]]
        assert re.search(r"  py test_block \(\S+test_it\.py:7\)", shown[name])
        assert len(shown[name].strip().splitlines()) <= 5


def test_another_defect_is_shown_in_full(run: Run) -> None:
    assert "  > write_after_free (defective.c:" in failures(run)["test_damage"]


def test_each_failure_has_all_in_the_xml(run: Run) -> None:
    """A reader of one has not read the others."""
    for name, size in SIZES.items():
        assert STACK in run[name].text
        assert lost_bytes(run[name].message) == [size]
        assert "the same" not in run[name].text


def test_summary_has_a_line_for_all(run: Run) -> None:
    (line,) = [line for line in section(run) if ": leak (defective.c:" in line]
    assert line.endswith("; the same in 3 more tests")
    assert any("4 leaks (170 bytes in 4 blocks) in 5 tests" in line for line in section(run))


def test_verdicts_stay(run: Run) -> None:
    assert run.totals.startswith("5 failed, 1 passed")
    assert run.code == pytest.ExitCode.TESTS_FAILED


def test_after_a_crash(replayed: Run) -> None:
    """The session that reports what the dead process did is short, too."""
    shown = failures(replayed)
    assert STACK in shown["test_before"]
    match = re.search(SAME, shown["test_before_as_well"])
    assert match
    assert match[1] == "test_dies.py::test_before"
    assert STACK in replayed["test_before_as_well"].text
    assert "died of SIGABRT" in shown["test_dies"]
