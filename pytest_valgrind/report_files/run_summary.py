"""A run in a few numbers, which stand in a trend beside those of other runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class RunSummary(NamedTuple):
    """What is compared between runs."""

    #: In UTC, as ISO 8601 has it; it tells a run from others.
    started: str
    seconds: float
    engines: list[str]
    tests: int
    #: Findings that fail a test or the run, and all of them.
    failed: int
    findings: int
    #: At most in any test: resident bytes, and live bytes of the heap; None if not known.
    rss: int | None
    heap: int | None


def of(document: Mapping[str, Any]) -> RunSummary:
    """Return what is compared of a run.

    :param document: of the run, as the report in JSON has it.
    :raises LookupError: if something is missing in it; a TypeError if something is no number.
    """
    run, totals = document["run"], document["totals"]
    memory = [test["memory"] for test in document["tests"] if "memory" in test]
    resident = [max(one["rss_end"], one.get("rss_peak") or 0) for one in memory]
    heap = [one["heap_end"] for one in memory if one.get("heap_end") is not None]
    return RunSummary(
        started=run["started"],
        seconds=run["seconds"],
        engines=list(run["engines"]),
        tests=totals["tests"],
        failed=totals["findings"].get("failed", 0),
        findings=sum(totals["findings"].values()),
        rss=max(resident, default=None),
        heap=max(heap, default=None),
    )
