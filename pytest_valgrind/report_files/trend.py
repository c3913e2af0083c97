"""A run beside earlier ones: which findings are new, which are gone, which stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_valgrind.report_files import run_summary
from pytest_valgrind.report_files.earlier_report import EarlierReport

#: Runs that a page shows: a report that is compared with the one before grows no further.
_MOST_RUNS = 100
#: Of a finding that is gone, what is said of it.
_SHOWN = ("fingerprint", "defect", "status", "check", "kind", "title", "tests")

_Json = dict[str, Any]


def trend(document: Mapping[str, Any], earlier: Sequence[EarlierReport]) -> _Json:
    """Compare a run with the latest of the earlier ones, and count along all of them.

    :return: ``runs``, in the order of time, with this one; ``since``, when each finding of this run
        was seen first, by its fingerprint; and, if there are earlier ones, ``compared``, the start
        of the latest; ``new``, fingerprints that are not in it; ``gone``, findings of it that did
        not occur again; and ``not_looked_for``, those of tests that did not run this time, or of
        checks that were not made.
    """
    this = run_summary.of(document)
    runs = {run.started: run for report in earlier for run in report.runs}
    # It may have been written by this very run, for a process that has died since.
    others = sorted(runs.values(), key=lambda run: run.started)
    shown = [*(run for run in others if run.started != this.started), this][-_MOST_RUNS:]
    made: _Json = {
        "runs": [run._asdict() for run in shown],
        "since": _since(document, earlier),
    }
    if earlier:
        latest = max(earlier, key=lambda report: report.document["run"]["started"]).document
        made |= _differences(document, latest)
    return made


def _since(document: Mapping[str, Any], earlier: Iterable[EarlierReport]) -> dict[str, str]:
    now = document["run"]["started"]
    since = dict.fromkeys((finding["fingerprint"] for finding in document["findings"]), now)
    for report in earlier:
        start = report.document["run"]["started"]
        for finding in report.document["findings"]:
            known = finding["fingerprint"]
            if known in since:
                since[known] = min(since[known], start, report.since.get(known, start))
    return since


def _differences(document: Mapping[str, Any], latest: Mapping[str, Any]) -> _Json:
    before = {finding["fingerprint"]: finding for finding in latest["findings"]}
    now = {finding["fingerprint"]: finding for finding in document["findings"]}
    tests = {test["nodeid"] for test in document["tests"]}
    made = _checks(document)
    missing = [finding for known, finding in before.items() if known not in now]

    def was_looked_for(finding: Mapping[str, Any]) -> bool:
        ran = not finding["tests"] or not tests.isdisjoint(finding["tests"])
        return ran and finding["check"] in made

    return {
        "compared": latest["run"]["started"],
        "new": [known for known in now if known not in before],
        "gone": [_shown(finding) for finding in missing if was_looked_for(finding)],
        "not_looked_for": [_shown(finding) for finding in missing if not was_looked_for(finding)],
    }


def _checks(document: Mapping[str, Any]) -> set[str]:
    asked = {*document["run"]["engines"], *document["run"].get("checks", ())}
    return asked | {finding["check"] for finding in document["findings"]}


def _shown(finding: Mapping[str, Any]) -> _Json:
    return {name: finding[name] for name in _SHOWN}
