"""The Python lines behind findings, by further runs of the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import LEAKS, Kind
from pytest_valgrind.findings.stack import PythonLine
from pytest_valgrind.items.item_run import HUNG, ItemRun
from pytest_valgrind.pinpoint.forked_run import Plan, Rerun, Runs, Seen, run_again
from pytest_valgrind.pinpoint.observer import Observer

_FEWEST_CHECKS = 8
#: More runs than this do not make the lines any fewer.
_MOST_RUNS = 4

NOT_REPRODUCED = "it did not happen again when the test ran once more"
_AFTER = "it was lost after the last line of the test, by a fixture or the garbage collection"
_SEEN_LATE = "such a write is seen when the block is freed or looked at, some time after it"


class Pinpoint:
    """Finds the lines of Python for findings.

    :param runs: runs a test, in a process that has nothing else to do.
    """

    def __init__(self, observer: Observer, runs: Runs) -> None:
        self._observer = observer
        self._runs = runs

    def named(self, test: ItemRun, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings with their lines of Python, or with why there are none."""
        if test.has_hung:
            return [
                finding if finding.kind is Kind.TIMEOUT else replace(finding, python_note=HUNG)
                for finding in findings
            ]
        is_worth_it = not all(finding.kind.is_seen_late for finding in findings)
        first = self._run(test, Plan()) if is_worth_it else _SEEN_LATE
        if isinstance(first, str):
            return [replace(finding, python_note=first) for finding in findings]
        seen = first.errors
        if first.leaks and any(finding.kind.is_leak for finding in findings):
            seen += self._lines_of_leaks(test, first)
        return [self._with_lines(finding, findings, seen) for finding in findings]

    def _lines_of_leaks(self, test: ItemRun, first: Rerun) -> list[Seen]:
        """Look closer and closer: at the lines of the test, and at those that one calls."""
        leaks = {leak.key: leak for leak in first.leaks}
        types = frozenset(leak.type for leak in first.leaks)
        plan = Plan(types=types)
        most = max(_FEWEST_CHECKS, int(self._observer.seconds / max(first.price, 0.01)))
        # Of each: the last check that has not seen it, and the first that has.
        windows = dict.fromkeys(leaks, (0, first.lines))
        for _ in range(_MOST_RUNS):
            share = max(_FEWEST_CHECKS, most // len(windows))
            spreads = [_spread(low, high, share) for low, high in set(windows.values())]
            checks = tuple(sorted(set().union(*spreads)))
            found = self._run(test, plan._replace(checks=checks))
            if isinstance(found, str):
                break
            seen = _earliest(found.leaks)
            leaks.update((key, seen[key]) for key in windows if key in seen)
            closer = {}
            for key in windows:
                if key in seen and (high := seen[key].number) is not None:
                    low = max((check for check in checks if check < high), default=high)
                    if high - low > 1:
                        closer[key] = low, high
            if not closer:
                break
            windows = closer
        return self._lines_of_callee(test, list(leaks.values()), first.inner, plan, most)

    def _lines_of_callee(
        self, test: ItemRun, leaks: list[Seen], inner: dict[int, int], plan: Plan, most: int
    ) -> list[Seen]:
        better = []
        # A check comes before a line, and so tells of the one before.
        for number in sorted({leak.number - 1 for leak in leaks if leak.number}):
            if count := inner.get(number, 0):
                checks = _spread(0, count, most)
                found = self._run(test, plan._replace(checks=checks, inside=number))
                if isinstance(found, Rerun):
                    better += [leak for leak in found.leaks if leak.python]
        # A line of a function that the test calls says more than the line that calls it.
        known = [leak.key for leak in better]
        return better + [leak for leak in leaks if leak.key not in known]

    def _run(self, test: ItemRun, plan: Plan) -> Rerun | str:
        return run_again(self._observer, self._runs, test, plan)

    def _with_lines(
        self, finding: Finding, findings: Sequence[Finding], seen: list[Seen]
    ) -> Finding:
        """Return a finding with the lines of what looks most like it."""
        if finding.kind.is_seen_late:
            return replace(finding, python_note=_SEEN_LATE)
        stack = self._observer.stack(finding)
        alike = [one for one in seen if (Kind[one.kind] in LEAKS) == finding.kind.is_leak]
        of_type = [one for one in alike if one.type in finding.types] if finding.types else alike
        same = [one for one in of_type if one.stack == stack]
        same = same or [one for one in alike if one.stack == stack]
        same = same or (of_type if finding.types else [])
        same_sort = [other for other in findings if other.kind.is_leak == finding.kind.is_leak]
        if not same and len(same_sort) == 1:
            same = alike
        if not same:
            return replace(finding, python_note=NOT_REPRODUCED)
        with_lines = next((one for one in same if one.python), None)
        if with_lines is None:
            return replace(finding, python_note=_AFTER)
        return replace(finding, python=tuple(PythonLine(*line) for line in with_lines.python))


def _earliest(leaks: Sequence[Seen]) -> dict[tuple[object, ...], Seen]:
    """Return, of leaks that are alike, those that a check has seen first."""
    found: dict[tuple[object, ...], Seen] = {}
    for leak in leaks:
        if leak.number is not None:
            known = found.setdefault(leak.key, leak)
            if known.number is not None and leak.number < known.number:
                found[leak.key] = leak
    return found


def _spread(low: int, high: int, most: int) -> tuple[int, ...]:
    """Return numbers from ``low`` to ``high``, all of them if there are no more than ``most``."""
    count = high - low + 1
    if count <= most:
        return tuple(range(low, high + 1))
    return tuple(sorted({low + round(step * (count - 1) / (most - 1)) for step in range(most)}))
