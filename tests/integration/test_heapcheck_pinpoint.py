"""At which line of Python memory was lost, natively: ``--heapcheck --memory-pinpoint``."""

from __future__ import annotations

from pathlib import Path

import pytest
from heapcheck_runs import native_suite, run_natively, section
from pinpoint_rows import FURTHER, LINES, LINES_OF_FURTHER, TESTS, lines_of, places
from suite import Run


@pytest.fixture(scope="module")
def pinpointed(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of these tests."""
    files = {"test_lines.py": TESTS}
    made = native_suite(tmp_path_factory.mktemp("pinpointed"), extension, files)
    return run_natively(made, "--memory-pinpoint", "-rA")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return a run without the option."""
    files = {"test_lines.py": TESTS}
    made = native_suite(tmp_path_factory.mktemp("without"), extension, files)
    return run_natively(made, "-k", "memory or freed_twice")


@pytest.mark.parametrize("name", LINES)
def test_lines(pinpointed: Run, name: str) -> None:
    """They are the same as under valgrind."""
    assert lines_of(pinpointed, name) == places(LINES[name]), pinpointed[name].text


@pytest.mark.slow
def test_lines_of_two_leaks(tmp_path: Path, extension: Path) -> None:
    """Each has its own, however far they are apart."""
    made = native_suite(tmp_path, extension, {"test_lines.py": TESTS + FURTHER})
    run = run_natively(made, "--memory-pinpoint", "-k", "two_leaks")
    for name, lines in LINES_OF_FURTHER.items():
        assert sorted(lines_of(run, name)) == sorted(places(lines))


def test_line_that_made_it_stands_above(pinpointed: Run) -> None:
    """The stack says where the object was made, and the line below where it was lost."""
    text = pinpointed["test_reference_to_local_variable"].text
    made, _, lost = text.partition("lost here in Python, ")
    assert "      items = [1, 2, object()]\n" in made
    assert "      defective.leak_reference(items)" in lost


def test_write_that_is_seen_late(pinpointed: Run) -> None:
    """No line is named for it: at another one it happened, at another it was seen."""
    text = pinpointed["test_written_after_free"].text
    assert lines_of(pinpointed, "test_written_after_free") == []
    assert "Python line unknown: such a write is seen when the block is freed or looked at" in text


def test_not_reproduced(pinpointed: Run) -> None:
    """The failure says so, and keeps the finding."""
    text = pinpointed["test_only_the_first_time"].text
    assert "30 bytes in 1 block is definitely lost" in text
    assert "Python line unknown: it did not happen again when the test ran once more" in text


def test_process_is_left_alone(pinpointed: Run) -> None:
    """Fixtures are still there, no child is left, and nothing is printed twice."""
    assert pinpointed["test_still_here"].outcome == "passed"
    assert pinpointed.output.count("printed once") == 1


def test_hint_names_the_option(without: Run) -> None:
    """It is given where something was found without it."""
    assert "hint: --memory-pinpoint says which line of Python it was" in section(without)
