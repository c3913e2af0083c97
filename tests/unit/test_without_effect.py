"""Options of ours that are given without the one that they belong to."""

from __future__ import annotations

from pytest_valgrind.settings import without_effect


def test_options_that_are_meant() -> None:
    """They are those of now and of 0.x, each once, up to the end of the options."""
    given = ["--valgrind-leak-check=exact", "-k", "x", "--no-memcheck", "--valgrind-args", "--x"]
    given += ["--valgrind-args=--y", "--", "--valgrind-log"]
    assert without_effect(given) == ["--valgrind-leak-check", "--no-memcheck", "--valgrind-args"]
    assert without_effect(["--valgrind", "--durations=3", "test_valgrind.py"]) == []
