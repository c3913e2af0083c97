"""The command that started a process, to be given once more."""

from __future__ import annotations

import sys

import pytest

from pytest_valgrind import command
from pytest_valgrind.command import Command


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("python", ("", "")),
        ("python -OO", ("", "")),
        ("python - a", ("", "-")),
        ("python -Wignore -X dev -uB -", ("", "-")),
        ("python -W ignore -Xdev s.py -c", ("", "s.py")),
        ("python --check-hash-based-pycs always s.py", ("", "s.py")),
        ("python -- -s.py", ("", "-s.py")),
        ("python -bbc code", ("-c", "code")),
        ("python -bbccode", ("-c", "code")),
        ("python -Im pytest -x", ("-m", "pytest")),
    ],
)
def test_target(words: str, target: tuple[str, str]) -> None:
    """It is what the interpreter runs, after its own options."""
    assert command._target(words.split()) == target


def test_embedded_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how it was started."""
    monkeypatch.setattr(sys, "orig_argv", [])
    with pytest.raises(pytest.UsageError, match="embedded in another program"):
        Command.of_this_process()
