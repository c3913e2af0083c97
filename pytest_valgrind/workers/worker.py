"""This process as a pytest-xdist worker: its reports are logged later than xdist expects."""

from __future__ import annotations

import marshal
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_valgrind import pytest_internals
from pytest_valgrind.recovery import journal_end
from pytest_valgrind.recovery.second_runs import SecondRun
from pytest_valgrind.recovery.second_runs import unpacked as unpacked_runs

#: In what a worker gives to the controller when it ends.
OUTPUT = "pytest_valgrind"
#: In what the controller gives to a worker: the tests that are to run again.
SECOND_RUNS = "pytest_valgrind_second_runs"
# In what is sent of a report: nearly all of it, in a piece.
_PACKED = "pytest_valgrind_packed"


class XdistWorker:
    """Stands between held reports and the plugin by which xdist sends them to the controller.

    That plugin takes every report for one of the test that runs.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._interactor = pytest_internals.worker_interactor(config.pluginmanager)
        self._numbers: dict[str, int] = {}

        given = pytest_internals.worker_values(config, "workerinput")
        #: How many workers there are.
        self.count: int = given["workercount"]
        again: bytes | None = given.get(SECOND_RUNS)
        #: What a worker before this one ran, and did not check for leaks any more.
        self.second_runs: Sequence[SecondRun] = () if again is None else unpacked_runs(again)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Learn the numbers by which xdist knows the tests."""
        self._numbers = {item.nodeid: number for number, item in enumerate(session.items)}

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_to_serializable(self, report: object) -> dict[str, bytes] | None:
        """Have a report sent in a piece."""
        return packed(report)

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
        output = pytest_internals.worker_values(config, "workeroutput")
        output[OUTPUT] = journal_end.read(path)


def packed(report: object) -> dict[str, bytes] | None:
    """Pack a report in C: under valgrind, execnet's Python is a quarter of a worker's small test.

    :return: None if somebody else has to do it.
    """
    if type(report) is not pytest.TestReport:
        return None
    try:
        return {_PACKED: marshal.dumps(pytest_internals.report_to_json(report))}
    except ValueError:  # for execnet, to say what it does not like
        return None


def unpacked(data: Mapping[str, Any]) -> pytest.TestReport | None:
    """Return the report that a worker has packed, None if it is not one.

    :param data: what was sent, with what pytest-xdist has added.
    """
    if _PACKED not in data:
        return None
    added = {name: value for name, value in data.items() if name != _PACKED}
    return pytest_internals.report_from_json({**marshal.loads(data[_PACKED]), **added})


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one, which is known from pytest_configure on."""
    return hasattr(config, "workerinput")
