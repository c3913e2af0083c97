"""What a process under valgrind writes down as it goes, for its parent to read if it dies."""

from __future__ import annotations

import _pickle as pickle  # as in journal_end.py
import contextlib
import marshal
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_valgrind.findings.results import Results
from pytest_valgrind.items.item_numbers import Location
from pytest_valgrind.markers import MARKERS, KnownMark, reason_of
from pytest_valgrind.recovery.journal_end import PROTOCOL, Finished
from pytest_valgrind.recovery.records import (
    Collected,
    Collecting,
    Ended,
    Packed,
    Passed,
    Ran,
    Record,
    Settled,
)

if TYPE_CHECKING:
    from pytest_valgrind.items.item_run import ItemRun

#: Attributes that every report has.
_PLAIN = frozenset(vars(pytest.TestReport("", ("", 0, ""), {}, "passed", None, "call")))


class Journal:
    """A file of records, each written as soon as it is known.

    If the disk is full, what comes from there on is missing.

    :param path: of the file; None where nobody would read it.
    """

    def __init__(self, path: Path | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = -1 if path is None else os.open(path, flags, 0o600)
        #: Whether a session has ended, and none has begun after it.
        self._is_after_session = False

    def finish(self) -> None:
        """Write down that the interpreter comes to its end."""
        self.write(Finished(self._is_after_session))

    def close(self) -> None:
        """Write nothing from now on."""
        if self.is_read:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def is_read(self) -> bool:
        """Whether there is a parent that reads it."""
        return self._descriptor >= 0

    def write(self, record: Record) -> None:
        """Write a record."""
        if self.is_read:
            if isinstance(record, (Collecting, Collected, Ended)):
                self._is_after_session = isinstance(record, Ended)
            with contextlib.suppress(OSError):
                _write(self._descriptor, record)

    def ran(self, test: ItemRun, config: pytest.Config) -> None:
        """Write down that a test ran, and its reports as they are so far."""
        if self.is_read:
            reports = packed(test.logged, config)
            marks = marks_of(test.item) if test.findings else ()
            self.write(Ran(test.place, reports, tuple(test.findings), marks))

    def settled(self, tests: Sequence[ItemRun], changed: Sequence[ItemRun], news: Results) -> None:
        """Write down that tests were judged, and what came to be known.

        :param changed: those of them that are not simply as they were.
        """
        if self.is_read:
            reports = {test.place: packed(test.logged, test.item.config) for test in changed}
            self.write(Settled(tuple(test.place for test in tests), reports, news))


def append(path: Path, record: Record) -> None:
    """Write a record into the journal of a process that has ended.

    :raises OSError: if it cannot be written.
    """
    with path.open("ab") as file:
        _write(file.fileno(), record)


def records(journal: bytes) -> Iterator[Record]:
    """Yield the records of a journal up to the last that is complete.

    A journal holds what this very package has pickled, in a directory that nobody else can write.
    """
    import io

    stream = io.BytesIO(journal)
    while True:
        try:
            yield pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):  # a full disk, or the end of the process
            return


def packed(
    reports: Sequence[pytest.TestReport], config: pytest.Config
) -> tuple[Passed | Packed, ...]:
    """Return reports as plain values."""
    return tuple(_packed(report, config) for report in reports)


def unpacked(
    reports: Sequence[Passed | Packed], nodeid: str, location: Location, config: pytest.Config
) -> Iterator[pytest.TestReport]:
    """Yield the reports of a test."""
    for report in reports:
        if isinstance(report, bytes):
            data = marshal.loads(report)
            made = config.hook.pytest_report_from_serializable(config=config, data=data)
            assert isinstance(made, pytest.TestReport)
            yield made
        else:
            when, duration, start, stop = report
            yield pytest.TestReport(
                nodeid,
                location,
                {},
                "passed",
                None,
                when,  # type: ignore[arg-type]
                duration=duration,
                start=start,
                stop=stop,
            )


def has_failed(reports: Sequence[Passed | Packed]) -> bool:
    """Whether any of a test's reports is that of a failure."""
    values = (marshal.loads(report) for report in reports if isinstance(report, bytes))
    return any(data.get("outcome") == "failed" for data in values)


def marks_of(item: pytest.Item) -> tuple[KnownMark, ...]:
    """Return what a test's markers say about known findings."""
    marks = [item.get_closest_marker(name) for name in MARKERS]
    return tuple(KnownMark(mark.name, reason_of(mark)) for mark in marks if mark)


def _packed(report: pytest.TestReport, config: pytest.Config) -> Passed | Packed:
    if type(report) is pytest.TestReport and report.passed and not _says_more(report):
        return report.when or "", report.duration, report.start, report.stop
    data = config.hook.pytest_report_to_serializable(config=config, report=report)
    try:
        return marshal.dumps(data)
    except ValueError:
        return marshal.dumps(_plain(data))


def _plain(value: object, depth: int = 8) -> Any:
    """Return a value of which nothing has to be imported to read it.

    Tests put whatever they like into a report's properties, objects of their own classes as well.
    """
    if depth and type(value) is dict:
        return {name: _plain(one, depth - 1) for name, one in value.items()}
    if depth and isinstance(value, (list, tuple)):
        return [_plain(one, depth - 1) for one in value]
    if type(value) in (str, bytes, bool, int, float, NoneType):
        return value
    try:
        return str(value)  # as JUnit XML has it
    except Exception:  # it is code of the tests'
        return f"<{type(value).__name__}>"


def _says_more(report: pytest.TestReport) -> bool:
    # Plugins tell more in further attributes, and so do we: memory, for example.
    has_more = vars(report).keys() - _PLAIN
    return bool(report.sections or report.user_properties or has_more)


def _write(descriptor: int, record: Record) -> None:
    data = pickle.dumps(record, protocol=PROTOCOL)
    while data:
        data = data[os.write(descriptor, data) :]
