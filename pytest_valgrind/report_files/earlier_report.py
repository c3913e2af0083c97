"""A report of an earlier run, as --memory-earlier takes it: a page of HTML, or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_valgrind.report_files import run_summary
from pytest_valgrind.report_files.embedded_data import extract
from pytest_valgrind.report_files.run_document import FORMAT, VERSION
from pytest_valgrind.report_files.run_summary import RunSummary

#: The ids of the elements of a page that hold the document of the run, and its trend.
DOCUMENT, TREND = "run-document", "run-trend"


class EarlierReport(NamedTuple):
    """A run that has ended before this one."""

    document: Mapping[str, Any]
    #: Of runs before that, as far as its page knows them, and of itself.
    runs: Sequence[RunSummary]
    #: When a finding was seen first, by its fingerprint, as far as its page knows.
    since: Mapping[str, str]


def read(path: Path) -> EarlierReport:
    """Read a report.

    :raises ValueError: with the rest of a sentence that begins with the option's name.
    """
    try:
        return _read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f": {path} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError(
            f": {path} is no report of pytest-valgrind: give a file that --memory-report or "
            "--memory-json has written"
        ) from None


def _read(text: str) -> EarlierReport:
    is_json = text.lstrip().startswith("{")
    document = json.loads(text) if is_json else extract(text, DOCUMENT)
    trend = {"runs": [], "since": {}} if is_json else extract(text, TREND)
    if (document["format"], document["version"]) != (FORMAT, VERSION):
        raise ValueError("of another format")
    runs = [RunSummary(**run) for run in trend["runs"]] or [run_summary.of(document)]
    for finding in document["findings"]:  # a reader relies upon these
        _ = finding["fingerprint"], finding["title"], finding["check"], finding["tests"]
    return EarlierReport(document, runs, trend["since"])
