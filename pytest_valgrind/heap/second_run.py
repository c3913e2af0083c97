"""A second run of tests that have lost memory, in a fork: which of them did, and where it was made.

A check of a group knows which test made a lost block, not which one lost it: a cache may be filled
by one and be dropped by another. So nobody is blamed before the maker alone has lost the like of it
once more; else its group runs again, with a check after each test.
"""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import IO, NamedTuple

from pytest_valgrind import client, pytest_internals
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.stack import Frame, Owner, PythonLine
from pytest_valgrind.fork import detach_output, forked, wait
from pytest_valgrind.heap.allocation_lines import AllocationLines
from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine
from pytest_valgrind.heap.lost_blocks import explain, findings
from pytest_valgrind.items.item_run import HUNG, ItemRun
from pytest_valgrind.leaks.garbage import Garbage
from pytest_valgrind.leaks.stale_pointers import overwrite_stale_pointers

# A place for a clone that nobody else uses.
_PLACE = 2
#: Seconds that a run may take.
_LONGEST = 60.0
#: Tests that run in one fork, each twice.
_MOST_AT_ONCE = 20
#: Of lines of Python, in a stack.
_MOST_LINES = 10


class Seen(NamedTuple):
    """What a test has lost in a second run."""

    address: int  #: at which the function goes on that asked for it
    types: dict[str, int]  #: of objects to which references were lost
    python: list[list[object]]  #: the lines that made it, the most recent call first
    maker: int  #: among the tests that ran, by number, the one that made it

    def is_like(self, finding: Finding) -> bool:
        """Whether it was lost in the same way.

        The interpreter has several ways to make an object, and takes another when it is traced.
        """
        if self.types and finding.types:
            return not self.types.keys().isdisjoint(finding.types)
        return self.address == _address(finding) and not (self.types or finding.types)


#: Runs a test, in a process that has nothing else to do.
Runs = Callable[[ItemRun, Callable[[str, str], Sequence[Finding]]], None]


class SecondRuns:
    """Runs tests again while the session goes on.

    :param first_free: returns the place from which on no test has one.
    :param seconds: that all of these runs may take.
    """

    def __init__(
        self,
        engine: Engine,
        runs: Runs,
        first_free: Callable[[], int],
        seconds: float,
    ) -> None:
        self._engine = engine
        self._runs = runs
        self._first_free = first_free
        self._left = seconds
        #: Findings for which there was no time.
        self.left_out = 0
        #: What tests have lost when several of them ran in one fork.
        self._seen_at_once: dict[ItemRun, list[Seen]] = {}

    def run_at_once(self, leaking: Sequence[tuple[ItemRun, Sequence[Finding]]]) -> None:
        """Run the tests of a group that have lost something in one fork, ahead of their verdicts.

        The check in the fork is what a second run costs, and this is one for all of them. It runs
        the last test first: what a test made and a later one lost, does not look lost by the first.
        Where it does not show what a test has lost, that test runs alone.

        :param leaking: tests, each with what it has lost.
        """
        self._seen_at_once.clear()
        leaking = [(test, leaks) for test, leaks in leaking if not test.has_hung]
        if len(leaking) < 2:
            return
        for start in range(0, len(leaking), _MOST_AT_ONCE):
            batch = leaking[start : start + _MOST_AT_ONCE]
            tests = [test for test, _ in reversed(batch) for _ in range(2)]
            expected = [leak for _, leaks in batch for leak in leaks]
            if self._left <= 0:
                return
            for seen in chain.from_iterable(self._run(tests, _LONGEST, expected=expected)):
                self._seen_at_once.setdefault(tests[seen.maker], []).append(seen)

    def settled(self, test: ItemRun, found: Sequence[Finding]) -> list[Finding]:
        """Return a test's findings: those that it lost itself, with where they were made.

        What another test of its group has lost is added to the findings of that one.
        """
        # What a child process did is not seen when the test runs again in a fork.
        leaks = [finding for finding in found if finding.kind.is_leak and not finding.process]
        if test.has_hung:
            return [replace(leak, python_note=HUNG) if leak in leaks else leak for leak in found]
        if leaks and self._left <= 0:
            self.left_out += len(leaks)
        elif leaks:
            found = self._of_this_test(test, found, leaks)
        return list(found)

    def lost_again(self, test: ItemRun, leaks: Sequence[Finding]) -> list[Finding | None]:
        """Return each leak with where it was made, None if the test alone does not lose the like.

        :param test: has made it, and is in no group that is about to be judged.
        """
        if test.has_hung or self._left <= 0:
            return [None for _ in leaks]
        _, seen = self._seen_of(test, leaks)
        again = [_like(leak, seen) for leak in leaks]
        return [
            None if like is None else _with_lines(leak, like)
            for leak, like in zip(leaks, again, strict=True)
        ]

    def _seen_of(self, test: ItemRun, leaks: Sequence[Finding]) -> tuple[bool, list[Seen]]:
        """Return whether a test could be run once more, and what it has lost then."""
        seen = self._seen_at_once.get(test, [])
        if seen and all(_like(leak, seen) for leak in leaks):
            return True, seen
        # Twice, as what the first run has made may be dropped by the next.
        runs = self._run([test, test], _LONGEST, expected=leaks)
        return bool(runs), [lost for run in runs for lost in run]

    def _of_this_test(
        self, test: ItemRun, found: Sequence[Finding], leaks: Sequence[Finding]
    ) -> list[Finding]:
        ran, seen = self._seen_of(test, leaks)
        kept: list[Finding] = []
        moved: list[Finding] = []
        for finding in found:
            again = None if finding.process else _like(finding, seen)
            if again is not None:
                kept.append(_with_lines(finding, again))
            elif finding in leaks and test.suspects and ran:
                moved.append(finding)
            else:
                kept.append(finding)
        if moved:
            kept += self._blame(test, moved)
        return kept

    def _blame(self, maker: ItemRun, leaks: Sequence[Finding]) -> list[Finding]:
        """Run the tests of a group again; return what none of those after the maker has lost."""
        tests = [maker, *(test for test in maker.suspects if not test.has_hung)]
        seconds = min(_LONGEST, self._left / 4)
        # Whether it is worth the checks: what is lost once in a process does not come again.
        at_the_end = self._run(tests, seconds, expected=leaks)
        made = [seen for run in at_the_end for seen in run if seen.maker == 0]
        if not any(_like(leak, made) for leak in leaks):
            return list(leaks)
        runs = self._run(tests, seconds)
        left = []
        for leak in leaks:
            for test, lost in zip(tests, runs, strict=False):
                # What another test makes and loses itself is a finding of its own.
                again = _like(leak, [seen for seen in lost if seen.maker == 0])
                if again is not None and test is not maker:
                    found = replace(leak, doubt="", made_in=maker.nodeid)
                    test.findings.append(_with_lines(found, again))
                    break
                if again is not None:
                    left.append(_with_lines(leak, again))
                    break
            else:
                left.append(leak)
        return left

    def _run(
        self, tests: Sequence[ItemRun], seconds: float, *, expected: Sequence[Finding] = ()
    ) -> list[list[Seen]]:
        """Run tests one after the other, and return what each has lost.

        :param seconds: that it may take; what was seen by then is returned.
        :param expected: if there is any, the check is at the end only, and stops looking when it
            has found all of this.
        """
        start = time.monotonic()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as answers:
            try:
                pid = forked(partial(self._run_all, tests, answers, expected))
            except OSError:
                return []
            wait(pid, start + seconds)
            answers.seek(0)
            lines = answers.read().splitlines()
        self._left -= time.monotonic() - start
        found = []
        for line in lines:
            try:
                found.append([Seen(*values) for values in json.loads(line)])
            except ValueError:  # the process was killed while it wrote
                break
        return found

    def _run_all(
        self, tests: Sequence[ItemRun], answers: IO[str], expected: Sequence[Finding]
    ) -> None:
        detach_output(tests[0].item.config)
        # From here on, the collector lists only what the tests make.
        gc.freeze()
        frames = CFrames()
        garbage = Garbage(freeze=False)
        lines = AllocationLines(self._engine, self._first_free())
        for number, test in enumerate(tests, 1):
            # What earlier tests have set up stays as it is, for the process that goes on with it;
            # and what a test of another class or module has set up here would be in the way.
            pytest_internals.forget_setups(test.item.session)
            # A block from there would have the number of its first use.
            garbage.empty_free_lists()
            lines.start()
            try:
                self._runs(test, lambda _where, _phase: ())
            finally:
                lines.stop()
            if expected and number < len(tests):
                continue
            garbage.settle_everything()
            overwrite_stale_pointers()
            # What was there before is taken as reached, if that is enough.
            seen = self._seen(frames, lines, since=lines.first) if expected else []
            if not expected or not all(_like(finding, seen) for finding in expected):
                seen += self._seen(frames, lines)  # the rest
            answers.write(f"{json.dumps(seen)}\n")
            answers.flush()

    def _seen(
        self, frames: CFrames, lines: AllocationLines, *, since: int | None = None
    ) -> list[Seen]:
        pid = self._engine.start_check(
            _PLACE, untracks=True, explain=partial(explain, self._engine, _PLACE), since=since
        )
        client.wait_for_clone(pid)
        if not self._engine.is_done(_PLACE):
            return []
        found = findings(self._engine, _PLACE, frames)
        self._engine.acknowledge(_PLACE)
        return [
            Seen(
                _address(finding),
                dict(finding.types),
                [list(line) for line in lines.stack(finding.origin.number)][:_MOST_LINES],
                lines.run_of(finding.origin.number),
            )
            for finding in found
            if finding.origin and finding.origin.number is not None
            if lines.has(finding.origin.number)
        ]


def _address(finding: Finding) -> int:
    return finding.stack[0].address if finding.stack else 0


def _like(finding: Finding, lost: Sequence[Seen]) -> Seen | None:
    """Return what is most like a finding, None if nothing is like it."""
    like = [seen for seen in lost if seen.is_like(finding)]
    own = (dict(finding.types), _address(finding))
    return max(like, key=lambda seen: (seen.types == own[0], seen.address == own[1]), default=None)


def _with_lines(finding: Finding, seen: Seen) -> Finding:
    """Return a finding with the lines of Python below the C function that asked for the block."""
    lines = [PythonLine(*line) for line in seen.python]  # type: ignore[arg-type]
    frames = [
        Frame(0, line.function, line.file, line.line, owner=Owner.PYTHON, path=line.file)
        for line in lines
    ]
    return replace(finding, stack=(*finding.stack, *frames), doubt="")
