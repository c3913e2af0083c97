"""This process as a worker of pytest-xdist's: its reports are logged later than it expects."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_valgrind import journal

#: In what a worker gives to the controller when it ends.
OUTPUT = "pytest_valgrind"


class XdistWorker:
    """Stands between held reports and the plugin by which xdist sends them to the controller.

    That plugin takes every report for one of the test that runs.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._interactor: Any = next(
            plugin for plugin in config.pluginmanager.get_plugins() if hasattr(plugin, "torun")
        )
        self._numbers: dict[str, int] = {}

        #: How many workers there are.
        self.count: int = vars(config)["workerinput"]["workercount"]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Learn the numbers by which xdist knows the tests."""
        self._numbers = {item.nodeid: number for number, item in enumerate(session.items)}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Have a report taken for one of its own test."""
        running = getattr(self._interactor, "item_index", None)
        self._interactor.item_index = self._numbers[report.nodeid]
        try:
            return (yield)
        finally:
            self._interactor.item_index = running

    def leave(self, config: pytest.Config, path: Path) -> None:
        """Give the controller what is known in the end.

        :param path: of the journal.
        """
        output: dict[str, Any] = vars(config)["workeroutput"]
        output[OUTPUT] = journal.read(path)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one, which is known from pytest_configure on."""
    return hasattr(config, "workerinput")
