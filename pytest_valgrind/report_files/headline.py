"""What the page says first: whether anything was found, and whether anything was looked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_valgrind.findings.finding import plural

#: Of exit codes, what pytest means by them (``pytest.ExitCode``).
_EXITS = (
    "all tests passed",
    "tests failed",
    "interrupted",
    "internal error",
    "usage error",
    "no tests ran",
)
#: What makes a run one that checks memory, in words.
_CHECKS = {
    "valgrind": "valgrind",
    "heapcheck": "heapcheck",
    "hunt": "repetition",
    "resources": "resources",
    "limits": "limits",
}


class Headline(NamedTuple):
    """The verdict upon a run."""

    words: str
    #: How it looks: ``failed``, ``unchecked``, or ``passed``.
    tone: str
    #: Further sentences.
    more: list[str]


def headline(document: Mapping[str, Any]) -> Headline:
    """Return the verdict upon the run of a document."""
    more = [_tests(document), *_checked(document), *_others(document)]
    failing = [finding for finding in document["findings"] if finding["status"] == "failed"]
    if failing:
        return Headline(_failing(failing), "failed", more)
    if not _looked(document):
        return Headline("Nothing was checked", "unchecked", more)
    if document["unchecked"]:
        return Headline("Not everything was checked", "unchecked", more)
    if document["findings"]:
        return Headline("No finding fails this run", "passed", more)
    return Headline("Nothing was found", "passed", more)


def exit_words(code: int) -> str:
    """Return an exit code of pytest with its meaning."""
    return f"{code}, {_EXITS[code]}" if 0 <= code < len(_EXITS) else str(code)


def _failing(failing: list[dict[str, Any]]) -> str:
    verb = "fails" if len(failing) == 1 else "fail"
    tests = {nodeid for finding in failing for nodeid in finding["tests"]}
    are_known = all(finding["place"] in ("test", "fixture") for finding in failing)
    whom = plural(len(tests), "test") if are_known and tests else "the run"
    return f"{plural(len(failing), 'finding')} {verb} {whom}"


def _looked(document: Mapping[str, Any]) -> bool:
    asked = set(document["run"].get("checks", ())) | set(document["run"]["engines"])
    engines = {"valgrind", "heapcheck"}
    by_others = bool(asked - engines) and document["totals"]["tests"] > 0
    return bool(document["totals"]["checked"] or document["findings"] or by_others)


def _tests(document: Mapping[str, Any]) -> str:
    totals = document["totals"]
    outcomes = ", ".join(f"{number:,} {name}" for name, number in totals["outcomes"].items())
    words = f"{plural(totals['tests'], 'test')} ran in {_duration(document['run']['seconds'])}"
    return f"{words}: {outcomes}." if outcomes else f"{words}."


def _checked(document: Mapping[str, Any]) -> list[str]:
    run, totals = document["run"], document["totals"]
    asked = list(dict.fromkeys([*run["engines"], *run.get("checks", ())]))
    if not asked:
        return [
            "No check was asked for, such as heapcheck or valgrind: the page shows how much memory "
            "the tests used, and nothing else."
        ]
    names = ", ".join(_CHECKS.get(name, name) for name in asked)
    if run["engines"]:
        return [f"{plural(totals['checked'], 'test')} checked. Checks asked for: {names}."]
    return [f"Checks asked for: {names}."]


def _others(document: Mapping[str, Any]) -> list[str]:
    numbers = document["totals"]["findings"]
    words = {"known": "known", "baseline": "in the baseline", "listed": "listed only"}
    return [
        f"{plural(numbers[status], 'finding')} {'is' if numbers[status] == 1 else 'are'} {what}."
        for status, what in words.items()
        if numbers.get(status)
    ]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
