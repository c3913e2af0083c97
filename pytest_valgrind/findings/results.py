"""What became of all tests: everything that the summary is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter  # by name, as tests replace the functions of the module
from typing import NamedTuple

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.ignore_rules import IgnoreRule
from pytest_valgrind.findings.relevance import Relevance, Scope
from pytest_valgrind.findings.suppressions import Named
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.markers import KnownMark


class Stopwatch:
    """Adds up the seconds spent below ``with``; they must not be nested."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *_exception: object) -> None:
        self.seconds += perf_counter() - self._start


class Judged(NamedTuple):
    """A test, or fixtures that it shares with others, and what valgrind has to say about it."""

    nodeid: str
    verdict: Verdict
    findings: list[Finding]
    #: Whether it is about fixtures, in the test's setup or teardown.
    in_fixtures: bool = False


class Unexplained(NamedTuple):
    """Uninitialised values that the interpreter decided upon, and whose creator is not known."""

    #: The test, or the module that was imported; empty if it was outside both.
    nodeid: str
    findings: tuple[Finding, ...]
    #: Of the test, as pytest has it; None if it is none.
    location: tuple[str, int | None, str] | None = None
    #: What its markers say about known findings.
    marks: tuple[KnownMark, ...] = ()
    #: Whether it ran to its end, so that a known defect could occur.
    completed: bool = False


class Undecided(NamedTuple):
    """A leak, and the tests of which one has lost it."""

    finding: Finding
    nodeids: tuple[str, ...]
    #: What else is known about it.
    lines: tuple[str, ...] = ()


class Results:
    """Everything that the summary is about, as plain values."""

    def __init__(self) -> None:
        #: Tests whose body ran, to wherever it got.
        self.tests = 0
        #: Those of them whose body got to its end.
        self.completed = 0
        #: Those that failed by themselves, which was made an expected failure.
        self.hidden = 0
        #: Those that are not simply clean.
        self.judged: list[Judged] = []
        #: Errors by module, raised while it was collected or imported.
        self.modules: dict[str, list[Finding]] = {}
        self.outside: list[Finding] = []
        #: Errors of the interpreter itself, which fail nothing.
        self.noise: list[Finding] = []
        #: What is not in the code that is meant, and fails nothing.
        self.elsewhere: list[Finding] = []
        #: Leaks that the user has not reported, each with the rule.
        self.ignored: list[tuple[IgnoreRule, Finding]] = []
        #: Findings in system programs that tests started (the shell, for one): they fail nothing.
        self.of_system: list[Finding] = []
        #: What looks like noise and may be an extension's.
        self.unexplained: list[Unexplained] = []
        #: What became of that, in words.
        self.origins = ""
        #: What there is to say about the native run before this one, empty if there was none.
        self.native_run = ""
        #: Leaks of which that run does not know which test lost them.
        self.undecided_before: list[Undecided] = []
        #: Leaks of which it is not known which test lost them.
        self.undecided: list[Undecided] = []
        #: What was found in child processes that outlived their tests.
        self.late: list[Judged] = []
        #: Child processes of tests that were checked, None if none are.
        self.children: int | None = None
        #: Tests that ran in processes which were not checked.
        self.unchecked: list[str] = []
        #: Why leaks that the user wants to see cannot be seen, as a sentence; empty if they can.
        self.blindness = ""
        #: Suppressions in the user's files that were of no use.
        self.unused_suppressions: list[Named] = []
        #: What was written for the user, in words.
        self.written = ""
        #: Leak checks, and the groups of tests for which they were done.
        self.checks = 0
        self.groups = 0
        #: Time of the test process that went into leak checks and garbage collection.
        self.watch = Stopwatch()

    def not_known(self) -> Iterator[tuple[str, Finding]]:
        """Yield all findings that no marker makes known, each with where it was found."""
        for test in self.judged:
            for finding in test.findings:
                if not test.verdict.knows(finding):
                    yield test.nodeid, finding
        for lost in self.undecided:
            yield f"one of {len(lost.nodeids)} tests from {lost.nodeids[0]} on", lost.finding
        for module, findings in self.modules.items():
            yield from ((module, finding) for finding in findings)
        yield from (("outside tests", finding) for finding in self.outside)
        yield from (("interpreter only", finding) for finding in self.noise)
        yield from (("other code", finding) for finding in self.elsewhere)
        yield from (("program of the system", finding) for finding in self.of_system)

    @property
    def is_void(self) -> bool:
        """Whether nothing but hidden failures ran, so that a green run would be a false one."""
        return self.hidden > 0 and self.completed == 0

    @property
    def fails(self) -> bool:
        """Whether anything was found that fails the run."""
        failed = any(test.verdict.outcome is Outcome.FAILED for test in self.judged)
        imported = [found for findings in self.modules.values() for found in findings]
        others = [*imported, *(lost.finding for lost in self.undecided)]
        is_new = any(not found.known for found in others)
        return failed or is_new or bool(self.unchecked or self.blindness)

    @property
    def anything_found(self) -> bool:
        """Whether somebody may want to look at the log."""
        found = (self.judged, self.modules, self.outside, self.undecided)
        return any((*found, self.noise, self.elsewhere, self.ignored, self.of_system))

    def sorted_out(
        self, findings: Iterable[Finding], scope: Scope, nodeid: str = ""
    ) -> list[Finding]:
        """Return the findings that are the user's concern, and take the others.

        :param nodeid: of their test, empty if they are of none.
        """
        own = []
        for finding in findings:
            if rule := scope.rule_for(finding, nodeid):
                self.ignored.append((rule, finding))
                continue
            relevance = scope.relevance(finding)
            if relevance is Relevance.OWN:
                own.append(finding)
            elif relevance is Relevance.INTERPRETER:
                self.noise.append(finding)
            else:
                self.elsewhere.append(finding)
        return own

    @property
    def sizes(self) -> tuple[int, ...]:
        """How long the lists are that only grow, and how high the counts."""
        lists = (len(getattr(self, name)) for name in _GROWING)
        return (*lists, *(getattr(self, name) for name in _COUNTS))

    def since(self, sizes: tuple[int, ...]) -> Results:
        """Return what came after the lists and the counts had other sizes."""
        news = Results()
        lists, counts = sizes[: len(_GROWING)], sizes[len(_GROWING) :]
        for name, size in zip(_GROWING, lists, strict=True):
            setattr(news, name, getattr(self, name)[size:])
        for name, count in zip(_COUNTS, counts, strict=True):
            setattr(news, name, getattr(self, name) - count)
        news.modules = self.modules
        return news

    def add(self, other: Results) -> None:
        """Take what another process or a later part of the run has found."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.checks += other.checks
        self.groups += other.groups
        self.watch.seconds += other.watch.seconds
        if other.children is not None:
            self.children = (self.children or 0) + other.children
        for name in (*_GROWING, "undecided", "late"):
            getattr(self, name).extend(getattr(other, name))
        self.origins = self.origins or other.origins
        self.blindness = self.blindness or other.blindness
        # Each process imports all of them.
        self.modules = {**other.modules, **self.modules}


_COUNTS = ("tests", "completed", "hidden")
_GROWING = (
    *("judged", "unchecked", "outside", "noise", "elsewhere", "ignored"),
    *("of_system", "unexplained"),
)
