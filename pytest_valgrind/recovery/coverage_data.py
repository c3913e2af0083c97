"""What pytest-cov measures, saved now and then, as a crash would lose it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import process_time  # by name, as tests replace the functions of the module
from typing import TYPE_CHECKING, Any

import pytest

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.reporting.reports import named

if TYPE_CHECKING:
    from pytest_valgrind.recovery.history import ProcessHistory

# After the first time, saving may take so many seconds of the processor's time, and beyond them
# this part of all.
_SECONDS = 3.0
_SHARE = 0.02


class CoverageData:
    """The data of this process, which coverage.py keeps in memory until it is told to save it.

    :param controller: of pytest-cov, with the ``Coverage`` that measures.
    """

    def __init__(self, controller: Any) -> None:
        self._coverage = controller.cov
        self._start = self._spent = 0.0
        self._was_saved = False

    @classmethod
    def of(cls, pluginmanager: pytest.PytestPluginManager) -> CoverageData | None:
        """Return what is measured here, None if nothing is, or where its file would be lost."""
        controller = _controller(pluginmanager)
        # A worker on another machine has its controller save what it sends in the end.
        if controller is None or controller.is_collocated is False:
            return None
        return cls(controller)

    def save(self) -> bool:
        """Save it if that does not take too long by now; return whether it was saved."""
        now = process_time()
        if self._spent > _SECONDS + _SHARE * (now - self._start):
            return False
        _be_quiet(self._coverage)
        try:
            self._coverage.save()
        except Exception:  # as of a full disk; pytest-cov will tell it in the end
            self._spent = float("inf")
            return False
        if self._was_saved:
            self._spent += process_time() - now
        else:
            self._was_saved, self._start = True, now
        return True


def is_measured(option: object) -> bool:
    """Whether the command line has pytest-cov measure anything."""
    return bool(getattr(option, "cov_source", None)) and not getattr(option, "no_cov", False)


def options_of_replay(option: object, histories: Iterable[ProcessHistory]) -> list[str]:
    """Return options with which pytest-cov adds nothing to what processes have saved.

    By itself it would erase that, as nothing is measured where no test runs.
    """
    if not is_measured(option):
        return []
    return ["--cov-append" if any(map(_has_saved, histories)) else "--no-cov"]


def measure_nothing(pluginmanager: pytest.PytestPluginManager) -> None:
    """Have pytest-cov report what others have measured, and nothing of this process."""
    if controller := _controller(pluginmanager):
        controller.pause()
        _be_quiet(controller.cov)


def not_covered(option: object, histories: Iterable[ProcessHistory]) -> Iterator[str]:
    """Yield the line of a summary that names the tests whose coverage is not known."""
    if not is_measured(option):
        return
    names = [
        test.nodeid
        for history in histories
        if history.crash and not history.has_ended
        for place, test in history.began.items()
        if place > (-1 if history.covered is None else history.covered)
        and place not in history.replaced
    ]
    if names:
        yield f"no coverage of {plural(len(names), 'test')}, lost with the process: {named(names)}"


def _has_saved(history: ProcessHistory) -> bool:
    return history.has_ended or history.covered is not None


def _controller(pluginmanager: pytest.PytestPluginManager) -> Any:
    plugin: Any = pluginmanager.get_plugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    return None if controller is None or controller.cov is None else controller


def _be_quiet(coverage: Any) -> None:
    """Keep it from warning that there is little, as pytest-cov does with workers."""
    coverage._warn_no_data = False
    coverage._warn_unimported_source = False
