"""The header and the summary: what is checked, what was found, what weakens the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.ignore_rules import IgnoreRule
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Judged, Results
from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.findings.verdict import Outcome
from pytest_valgrind.reporting.text import one_line, total_line

# What a run prints shall be read: the rest is in the test's own report, and in the log.
_MOST_OF_A_TEST = 10
# Of findings that fail nothing.
_MOST_PLACES = 10


def summary(
    results: Results, rules: Iterable[IgnoreRule] = (), *, folds: bool = False
) -> Iterator[str]:
    """Return, as lines, what was found: a line a defect, and the totals.

    :param rules: those of the user for leaks that are not reported.
    :param folds: whether a defect has a line in the first test that shows it, and in no other.
    """
    yield from _of_tests(results.judged, folds=folds)
    for lost in results.undecided:
        tests = plural(len(lost.nodeids), "test")
        where = f", allocated in {lost.finding.made_in}" if lost.finding.made_in else ""
        known = "  (in the baseline)" if lost.finding.known else ""
        yield f"one of {tests}: {one_line([lost.finding])}{where}{known}"
    for module, findings in results.modules.items():
        for finding in findings:
            why = "import, in the baseline" if finding.known else "import"
            yield f"{module}: {one_line([finding])}  ({why})"
    yield from _unused_markers(results)
    yield _totals(results)
    yield from _elsewhere("outside tests", results.outside)
    yield from _elsewhere("outside --memory-only", results.elsewhere)
    yield from _elsewhere("interpreter only", results.noise)
    yield from _ignored(results, rules)
    if results.origins:
        yield results.origins
    yield from _elsewhere("system programs that tests started", results.of_system)
    for unused in results.unused_suppressions:
        yield f"{unused.path}:{unused.line}: unused suppression: {unused.name}"
    yield from filter(None, (results.native_run, results.written))
    if results.children is not None:
        yield f"{plural(results.children, 'child process', 'child processes')} of tests checked"
    if results.checks:
        groups = f" for {plural(results.groups, 'group')} of tests" if results.groups else ""
        yield (
            f"{plural(results.checks, 'leak check')}{groups}: "
            f"{results.watch.seconds:.1f} s with garbage collection"
        )


def _of_tests(judged: Sequence[Judged], *, folds: bool) -> Iterator[str]:
    tests_of = _tests_by_defect(judged) if folds else {}
    for test in judged:
        known = "  (known)" if test.verdict.outcome is Outcome.KNOWN else ""
        if test.verdict.ends_process:
            yield _crash_line(test)
        findings = _beside_crash(test)
        for finding in findings[:_MOST_OF_A_TEST]:
            defect = _defect(test, finding)
            first, *others = tests_of.get(defect, [test.nodeid])
            if first != test.nodeid:
                continue
            same = ""
            if others:  # they are said once, should the test have another of this defect
                same = f"; the same in {plural(len(others), 'more test')}"
                tests_of[defect] = [first]
            is_in_baseline = finding.known and not test.verdict.is_marked(finding)
            why = "  (in the baseline)" if is_in_baseline else known
            yield f"{test.nodeid}: {one_line([finding])}{same}{why}"
        if (more := len(findings) - _MOST_OF_A_TEST) > 0:
            yield f"{test.nodeid}: and {more:,} more{known}"


def _tests_by_defect(judged: Iterable[Judged]) -> dict[tuple[object, ...], list[str]]:
    """Return the tests that show each defect, in their order and each test once."""
    tests: dict[tuple[object, ...], dict[str, None]] = {}
    for test in judged:
        for finding in _beside_crash(test)[:_MOST_OF_A_TEST]:
            if finding.defect:
                tests.setdefault(_defect(test, finding), {})[test.nodeid] = None
    return {defect: list(nodeids) for defect, nodeids in tests.items()}


def _defect(test: Judged, finding: Finding) -> tuple[object, ...]:
    """Return what a line is about: a defect where it fails or is known, and in which fixture."""
    return (test.verdict.outcome, finding.known, finding.fixture, *finding.defect)


def _beside_crash(test: Judged) -> list[Finding]:
    """Return the findings of a test without what its process died of."""
    ends = test.verdict.ends_process
    return [found for found in test.findings if not (ends and _is_fatal_signal(found))]


def _crash_line(test: Judged) -> str:
    frames = (found.innermost for found in test.findings if _is_fatal_signal(found))
    at = next((f" in {frame}" for frame in frames if frame), "")
    return f"{test.nodeid}: {test.verdict.header} {test.verdict.reason}{at}"


def write_summary(  # noqa: PLR0913
    reporter: pytest.TerminalReporter,
    results: Results,
    hints: Iterable[str],
    logs: Sequence[str],
    *,
    title: str,
    offers_pinpoint: bool,
    rules: Iterable[IgnoreRule] = (),
) -> None:
    """Write our section of the terminal's summary.

    :param hints: what to do for better findings.
    :param logs: those from valgrind that may be worth a look.
    :param title: of the section.
    :param rules: those of the user for leaks that are not reported.
    :param offers_pinpoint: whether tests can be run once more to find lines of Python.
    """
    reporter.section(title)
    for line in summary(results, rules, folds=reporter.config.option.verbose < 1):
        reporter.write_line(line)
    if results.hidden:
        colour = {"red": results.is_void, "yellow": not results.is_void}
        reporter.write_line(_hidden_failures(results), bold=True, **colour)
    for line in [*hints, *weaknesses(results)]:
        reporter.write_line(f"hint: {line}")
    if offers_pinpoint and (kinds := set(_kinds_to_pinpoint(results.judged))):
        did = "lost it" if all(kind.is_leak for kind in kinds) else "it was"
        reporter.write_line(f"hint: --memory-pinpoint says which line of Python {did}")
    for log in logs:
        reporter.write_line(f"log: {log}")


def _kinds_to_pinpoint(judged: Iterable[Judged]) -> Iterator[Kind]:
    for test in judged:
        verdict = test.verdict
        if verdict.outcome is Outcome.FAILED and not (verdict.ends_process or test.in_fixtures):
            yield from (found.kind for found in test.findings if found.kind.is_at_a_line)


def weaknesses(results: Results) -> Iterator[str]:
    """Return, as lines, what to do for better findings."""
    found = [finding for test in results.judged for finding in test.findings]
    found += [finding for findings in results.modules.values() for finding in findings]
    found += [*results.outside, *(lost.finding for lost in results.undecided)]
    without_source = {
        frame.object
        for finding in found
        if (frame := finding.innermost)
        and frame.owner is Owner.EXTENSION
        and frame.file is None
        and frame.object
    }
    for path in sorted(without_source):
        yield f"no debug information in {path}: build it with CFLAGS=-g to see files and lines"
    if any(finding.kind is Kind.UNSHOWN for finding in found):
        yield "some errors were counted but not shown: give valgrind -s, or let pytest start it"


def _totals(results: Results) -> str:
    """Return what was found that fails something, and how many tests were checked."""
    failed = [test for test in results.judged if test.verdict.outcome is Outcome.FAILED]
    known = [test for test in results.judged if test.verdict.outcome is Outcome.KNOWN]
    found = [
        (test, finding) for test in failed for finding in _beside_crash(test) if not finding.known
    ]
    in_tests = plural(len({test.nodeid for test, _ in found if not test.in_fixtures}), "test")
    imported = [
        finding
        for findings in results.modules.values()
        for finding in findings
        if not finding.known
    ]
    undecided = [lost.finding for lost in results.undecided if not lost.finding.known]
    crashes = sum(test.verdict.is_crash for test in failed)
    parts = [plural(crashes, "crash", "crashes")] if crashes else []
    parts += [
        f"{total} {where}"
        for findings, where in (
            ([finding for test, finding in found if not test.in_fixtures], f"in {in_tests}"),
            ([finding for test, finding in found if test.in_fixtures], "in fixtures"),
            (undecided, "in one of several tests"),
            (imported, "at import"),
        )
        if (total := total_line(findings))
    ]
    if known:
        tests = plural(len({test.nodeid for test in known}), "test")
        parts.append(f"known {'ones' if parts else 'findings'} in {tests}")
    if results.unchecked:
        parts.append(f"{plural(len(results.unchecked), 'test')} not checked, in another process")
    if parts or not results.tests:
        return "; ".join([*parts, _checked(results)])
    if not results.completed:
        they = "it" if results.tests == 1 else "they"
        return f"no test ran to its end, {_checked(results)} as far as {they} went"
    if results.blindness:
        return f"leaks cannot be seen here, {_checked(results)}"
    if results.anything_found:
        return f"nothing that fails a test, {_checked(results)}"
    return f"nothing found, {_checked(results)}"


def _checked(results: Results) -> str:
    without = ", but not for leaks" if results.blindness else ""
    tests = plural(results.tests, "test") if results.tests else "no test"
    return f"{tests} checked{without}"


def _is_fatal_signal(finding: Finding) -> bool:
    return finding.kind is Kind.FATAL_SIGNAL


def _hidden_failures(results: Results) -> str:
    shown = "is shown as an expected failure"
    if results.hidden > 1:
        shown = "are shown as expected failures"
    return (
        f"{plural(results.hidden, 'test')} failed for other reasons and {shown} "
        "(--memory-failures=report shows failures)"
    )


def _unused_markers(results: Results) -> Iterator[str]:
    for test in results.judged:
        for name in test.verdict.unused_markers:
            yield f"{test.nodeid}: unused marker {name}: no such finding"


def _ignored(results: Results, rules: Iterable[IgnoreRule]) -> Iterator[str]:
    if results.ignored:
        yield f"ignored by rules: {total_line([finding for _, finding in results.ignored])}"
    used = {rule for rule, _ in results.ignored}
    for rule in rules:
        if rule not in used:
            place = f"{rule.where}: " if rule.where else ""
            yield f"{place}unused rule of --heapcheck-ignore: {rule}"


def _elsewhere(where: str, findings: list[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield f"{where}: {total_line(findings)}"
    places: dict[tuple[Kind, str], list[Finding]] = {}
    for finding in findings:
        frame = finding.innermost
        # Two object files may have the same name.
        place = frame.identity if frame else finding.message
        places.setdefault((finding.kind, place), []).append(finding)
    most = sorted(places.values(), key=len, reverse=True)[:_MOST_PLACES]
    for first, *others in most:
        frame = first.innermost
        words = f"{first.kind.value}: {frame.in_short if frame else first.message}"
        yield f"  {words}" + (f"  ({len(others) + 1} times)" if others else "")
    if len(places) > _MOST_PLACES:
        yield f"  and {len(places) - _MOST_PLACES} more places"
