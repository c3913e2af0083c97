"""The whole run as JSON has it: report-1.schema.json says what each name means."""

from __future__ import annotations

import platform
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, NamedTuple

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Judged, Results
from pytest_valgrind.findings.verdict import Outcome
from pytest_valgrind.hunt.leaks import KIND as GROWTH
from pytest_valgrind.hunt.leaks import Leaks, identity_of
from pytest_valgrind.report_files.checks_asked import checks_asked
from pytest_valgrind.report_files.finding_record import FindingRecords
from pytest_valgrind.report_files.source_tree import SourceTree
from pytest_valgrind.report_files.test_record import TestRecord
from pytest_valgrind.reporting.end_of_run import ARGUMENTS, EndOfRun

#: A reader can rely upon the names of a version: later ones may add some.
FORMAT, VERSION = "pytest-valgrind-report", 1


class Repeated(NamedTuple):
    """A test that leaks when it is repeated."""

    nodeid: str
    leaks: Leaks
    status: str


class Left(NamedTuple):
    """What a test has left behind."""

    nodeid: str
    finding: Finding
    status: str


class Beyond(NamedTuple):
    """A limit to memory that a test went beyond."""

    nodeid: str
    message: str
    details: str


class Observed(NamedTuple):
    """What the reports of tests have said in the whole run."""

    tests: dict[str, TestRecord]
    repeated: list[Repeated]
    left: list[Left]
    beyond: list[Beyond]
    #: Names and messages of what could not be collected.
    not_collected: list[tuple[str, str]]


class Ended(NamedTuple):
    """When and how a run ended."""

    started: float  #: seconds since the epoch
    seconds: float  #: that it took
    exit_status: int


def document(
    config: pytest.Config,
    observed: Observed,
    end: EndOfRun | None,
    ended: Ended,
) -> dict[str, Any]:
    """Return the document.

    :param end: what the engines have found, None if none was asked for.
    """
    arguments = config.stash.get(ARGUMENTS, tuple(map(str, config.invocation_params.args)))
    start = datetime.fromtimestamp(ended.started, timezone.utc)
    tree = SourceTree(config.rootpath)
    locations = {
        test.nodeid: (str(config.rootpath / test.file), test.line)
        for test in observed.tests.values()
    }
    findings = FindingRecords(tree, locations)
    if end is not None:
        _add_results(findings, end.results, end.settings.name)
    _add_observed(findings, observed)
    records = findings.records
    engines = _engines(end)
    outcomes = Counter(test.record["outcome"] for test in observed.tests.values())
    return {
        "format": FORMAT,
        "version": VERSION,
        "tool": {"name": "pytest-valgrind", "version": version("pytest-valgrind")},
        "run": {
            # Two runs may begin in the same second: their starts tell them apart.
            "started": start.isoformat(timespec="milliseconds"),
            "seconds": round(ended.seconds, 3),
            "command": shlex.join(["pytest", *arguments]),
            "rootdir": str(config.rootpath),
            "repository": str(tree.top),
            "engines": engines,
            "checks": checks_asked(config, engines),
            "python": platform.python_version(),
            "pytest": pytest.__version__,
            "platform": f"{sys.platform}-{platform.machine()}",
            "exit_status": ended.exit_status,
        },
        "totals": {
            "tests": len(observed.tests),
            "outcomes": dict(outcomes),
            "checked": end.results.tests if end else 0,
            "findings": {
                status: number
                for status in ("failed", "known", "baseline", "listed")
                if (number := sum(record["status"] == status for record in records))
            },
        },
        "summary": list(end.lines) if end else [],
        "hints": end.all_hints if end else [],
        "unchecked": list(end.results.unchecked) if end else [],
        "not_collected": [
            {"nodeid": nodeid, "message": message}
            for nodeid, message in observed.not_collected
            # What was found at an import fails the collection as well, and is a finding.
            if end is None or nodeid not in end.results.modules
        ],
        "tests": [test.record for test in observed.tests.values()],
        "findings": records,
        "sources": tree.lines,
    }


def _engines(end: EndOfRun | None) -> list[str]:
    if end is None:
        return []
    settings = end.settings
    asked = {"valgrind": settings.valgrind, "heapcheck": settings.heapcheck}
    return [name for name, is_asked in asked.items() if is_asked]


def _add_results(records: FindingRecords, results: Results, check: str) -> None:
    for judged in results.judged:
        _add_judged(records, judged, check)
    for lost in results.undecided:
        records.add(
            lost.finding,
            status="baseline" if lost.finding.known else "failed",
            place="one of several tests",
            tests=lost.nodeids,
            check=check,
            reason="\n".join(lost.lines),
        )
    for nodeid, findings in results.modules.items():
        for finding in findings:
            status = "baseline" if finding.known else "failed"
            records.add(finding, status=status, place="import", tests=[nodeid], check=check)
    for place, found in _listed(results).items():
        for finding in found:
            records.add(finding, status="listed", place=place, tests=[], check=check)


def _listed(results: Results) -> Mapping[str, Iterable[Finding]]:
    """Return what fails nothing, by where it is."""
    return {
        "outside tests": results.outside,
        "other code": results.elsewhere,
        "interpreter": results.noise,
        "system program": results.of_system,
        "ignored by a rule": [finding for _, finding in results.ignored],
    }


def _add_judged(records: FindingRecords, judged: Judged, check: str) -> None:
    verdict, nodeid = judged.verdict, judged.nodeid
    for finding in judged.findings:
        status = "baseline" if finding.known else "failed"
        if verdict.is_marked(finding):
            status = "known"
        records.add(
            finding,
            status=status,
            place="fixture" if judged.in_fixtures else "test",
            tests=[nodeid],
            check=check,
            header=verdict.header,
            reason=verdict.reason,
        )
    has_signal = any(finding.kind is Kind.FATAL_SIGNAL for finding in judged.findings)
    if verdict.is_crash and not has_signal:
        _add_verdict(records, judged, check, "crash")
    elif verdict.outcome is Outcome.FAILED and not judged.findings:
        _add_verdict(records, judged, check, "timeout" if verdict.ends_process else "unused marker")


def _add_verdict(records: FindingRecords, judged: Judged, check: str, kind: str) -> None:
    verdict = judged.verdict
    records.add_other(
        kind,
        verdict.reason,
        status="failed",
        tests=[judged.nodeid],
        check=check,
        category="error",
        header=verdict.header,
    )


def _add_observed(records: FindingRecords, observed: Observed) -> None:
    for nodeid, leaks, status in observed.repeated:
        first, *names = leaks.lines
        records.add_other(
            GROWTH,
            first,
            status=status,
            tests=[nodeid],
            check="hunt",
            category="leak",
            header="[LEAKED]",
            details="\n".join(names),
            growth=leaks,
            same=identity_of(leaks),
        )
    for nodeid, finding, status in observed.left:
        place = "fixture" if finding.fixture else "test"
        records.add(finding, status=status, place=place, tests=[nodeid], check="resources")
    for nodeid, message, details in observed.beyond:
        records.add_other(
            "memory limit",
            message,
            status="failed",
            tests=[nodeid],
            check="limits",
            category="limit",
            details=details,
        )
