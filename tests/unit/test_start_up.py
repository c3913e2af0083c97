"""What the summary says about a start that took long."""

from __future__ import annotations

import pytest

from pytest_valgrind.session import start_up
from pytest_valgrind.session.start_up import StartUp


class Plugins:
    """A plugin manager that has pytest-xdist only."""

    def has_plugin(self, name: str) -> bool:
        """Return whether it is that one."""
        return name == "xdist"


def hint_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> str | None:
    monkeypatch.setattr(start_up, "process_time", lambda: seconds)
    start = StartUp()
    start.is_over()
    return start.hint(Plugins())  # type: ignore[arg-type]


def test_quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hint_after(9.0, monkeypatch) is None


def test_slow_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_up, "_imports", lambda _: {"pytest": 600, "xdist": 100, "x": 300})
    assert hint_after(14.0, monkeypatch) == (
        "the start took 14 s; plugins with much of what is imported: xdist (10%). Where tests do "
        "not need them, this leaves them out: -p no:xdist"
    )


def test_slow_start_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_up, "_imports", lambda _: {"pytest": 1000, "xdist": 10})
    assert hint_after(14.0, monkeypatch) is None


def test_imports_are_measured() -> None:
    assert start_up._imports(["json", "no_such_module_at_all"])["json"] > 0
