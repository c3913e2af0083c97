"""Where an uninitialised value was created that only the interpreter decides upon.

An extension that hands one over, as a float or as the bytes of a buffer, does not stand in the
stack of the decision, which looks like interpreter noise. Valgrind can say where the value
was created, at half as much time again, and must be told at its start (``--track-origins=yes``). So
these tests run once more, after the session, in one further valgrind. It is started by the
same command as the first, and knows by its environment that it is not to report anything.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pluggy
import pytest

from pytest_valgrind.command import Command
from pytest_valgrind.findings.finding import Finding, merged, plural
from pytest_valgrind.findings.results import Judged, Results, Unexplained
from pytest_valgrind.findings.stack import Caller, PythonLine
from pytest_valgrind.findings.verdict import Outcome, Verdict, judge
from pytest_valgrind.markers import Mark
from pytest_valgrind.parent_death import die_with_parent
from pytest_valgrind.reporting.reports import give
from pytest_valgrind.settings import Settings

_VARIABLE = "PYTEST_VALGRIND_ORIGINS"
_TESTS = "tests"
_END = "end"
_FOUND = "found"
_OUTPUT = "output"
# It reports no tests to pytest, so any of these may be its exit code.
_GOOD_ENDS = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)
# Seconds that the process has to end by itself.
_PATIENCE = 10


class Request(NamedTuple):
    """What the further run is to do: a directory that both processes know."""

    directory: Path

    @classmethod
    def adopt(cls) -> Request | None:
        """Return what this process was asked for, None if it is an ordinary run."""
        directory = os.environ.get(_VARIABLE)
        return cls(Path(directory)) if directory else None

    @property
    def home(self) -> Path:
        """For the log and all else of the process that valgrind runs; it is not there yet."""
        return self.directory / "valgrind"

    @staticmethod
    def hide() -> None:
        """Have the programs that tests start not take it for theirs."""
        os.environ.pop(_VARIABLE, None)

    @property
    def tests(self) -> set[str]:
        """The node ids of the tests to run."""
        return set((self.directory / _TESTS).read_text(encoding="utf-8").split("\0"))

    def adapt(self, settings: Settings) -> Settings:
        """Return the settings with which it is to run."""
        args = [arg for arg in settings.args if not arg.startswith("--log-file=")]
        return settings._replace(
            log=None,
            leak_check="off",
            memcheck_before=False,
            args=(*args, "--track-origins=yes"),
            exact_rerun=False,
            pinpoint=False,
            resume=False,
            gen_suppressions=None,
            calibrate=False,
            origins=False,
        )

    def ask_for(self, tests: Iterable[str], seconds: float) -> None:
        """Say which tests to run, and how long that may take."""
        (self.directory / _TESTS).write_text("\0".join(tests), encoding="utf-8")
        end = time.monotonic() + seconds
        (self.directory / _END).write_text(str(end), encoding="utf-8")

    @property
    def seconds_left(self) -> float:
        """How long it may take from now on."""
        # The clock is the machine's, not a process's.
        return float((self.directory / _END).read_text(encoding="utf-8")) - time.monotonic()

    def found(self, nodeid: str, findings: Sequence[Finding]) -> None:
        """Write down what was found in a test or module; it may be nothing."""
        with (self.directory / _FOUND).open("ab") as file:
            pickle.dump((nodeid, list(findings)), file)

    def answers(self) -> dict[str, list[Finding]]:
        """Return what was written down, as far as it is complete."""
        found: dict[str, list[Finding]] = {}
        ends = contextlib.suppress(OSError, EOFError, pickle.UnpicklingError)
        with ends, (self.directory / _FOUND).open("rb") as file:
            while True:  # this package has written it, where nobody else can write
                nodeid, findings = pickle.load(file)
                found.setdefault(nodeid, []).extend(findings)
        return found


class Origins:
    """Looks for the origins of what is in case, and reports what is found.

    :param environment: of this process at its start.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment

    def settle(
        self, results: Results, hook: pluggy.HookRelay, say: Callable[[str], object]
    ) -> None:
        """Run what is unexplained once more, and have what is an extension's reported.

        :param results: are told.
        :param say: tells the user, who waits meanwhile, a line.
        """
        tests = list(dict.fromkeys(case.nodeid for case in results.unexplained if case.location))
        seconds = self._settings.origins_seconds
        say(
            f"valgrind: {plural(len(tests), 'test')} once more with --track-origins=yes, to see "
            f"where uninitialised values are from (up to {seconds:.0f} s)"
        )
        with tempfile.TemporaryDirectory(prefix="pytest-valgrind-origins-") as name:
            request = Request(Path(name))
            request.ask_for(tests, seconds)
            failure = self._run(request)
            answers = request.answers()
        places: list[Unexplained] = []
        for case in results.unexplained:
            if case.nodeid in answers:
                found = merged(_matching(answers[case.nodeid], case))
                places += [case] if found else []
                _forget_noise(results, case, found)
                self._report(case, found, results, hook)
        missed = [nodeid for nodeid in tests if nodeid not in answers]
        results.origins = "origins of uninitialised values: "
        results.origins += _in_words(len(tests) - len(missed), places)
        if missed:
            failure = failure or "they died, or were not collected again"
            results.origins += f"; not known of {plural(len(missed), 'test')}: {failure}"
        elif failure:
            results.origins += f"; {failure}"

    def pass_over(self, results: Results) -> None:
        """Say that nobody looks."""
        if results.unexplained and not results.origins:
            results.origins = (
                "origins of uninitialised values: not looked for, as the session ended early"
            )

    def _run(self, request: Request) -> str:
        """Do it, and return why it came to no end; empty if it did."""
        try:
            command = Command.of_this_process()
        except pytest.UsageError as error:
            return str(error)
        with (request.directory / _OUTPUT).open("w+", encoding="utf-8", errors="replace") as output:
            try:
                process = subprocess.Popen(
                    command.words,
                    cwd=command.directory,
                    env={**self._environment, _VARIABLE: str(request.directory)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 (it takes no lock)
                )
            except OSError as error:
                return str(error)
            try:
                code = process.wait(self._settings.origins_seconds)
            except subprocess.TimeoutExpired:
                return f"it took more than {self._settings.origins_seconds:.0f} s"
            finally:
                _end(process)
            if code in _GOOD_ENDS:
                return ""
            output.seek(0)
            said = [line.strip() for line in output if line.strip()]
            return ": ".join([f"it ended with exit code {code}", *said[-1:]])

    def _report(
        self, case: Unexplained, found: list[Finding], results: Results, hook: pluggy.HookRelay
    ) -> None:
        if case.location is None:
            if case.nodeid:  # as all workers have imported it
                found = merged([*results.modules.get(case.nodeid, ()), *found])
                results.modules |= {case.nodeid: found} if found else {}
            else:
                results.outside.extend(found)
            return
        marks = {mark.name: mark for mark in case.marks}
        places = [n for n, test in enumerate(results.judged) if _is_of(test, case)]
        before = results.judged[places[0]].findings if places else []
        verdict = self._judge(found, marks, case)
        if not (found or verdict.unused_markers):
            return
        together = [*before, *found]
        whole = Judged(case.nodeid, self._judge(together, marks, case), together)
        if places:
            results.judged[places[0]] = whole
        else:
            results.judged.append(whole)
        if found or verdict.outcome is Outcome.FAILED:
            report = pytest.TestReport(case.nodeid, case.location, {}, "passed", None, "call")
            give(verdict, found, [report], xfail_failures=self._settings.xfail_failures)
            hook.pytest_runtest_logreport(report=report)

    def _judge(
        self, findings: Sequence[Finding], marks: Mapping[str, Mark], case: Unexplained
    ) -> Verdict:
        return judge(
            findings,
            marks.get,
            checked_for_leaks=False,
            completed=case.completed,
            strict=self._settings.strict,
        )


def _in_words(ran: int, cases: Iterable[Unexplained]) -> str:
    """Say in how many of the tests that ran, and imports, a value was an extension's."""
    tests = {case.nodeid for case in cases if case.location}
    imports = {case.nodeid for case in cases if not case.location}
    found = [plural(len(tests), "test")] if tests else []
    found += [plural(len(imports), "import")] if imports else []
    where = " and ".join(found) or "none"
    return f"{plural(ran, 'test')} run once more; an extension created the value in {where}"


def _is_of(judged: Judged, case: Unexplained) -> bool:
    return judged.nodeid == case.nodeid and not judged.in_fixtures


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _matching(found: Iterable[Finding], case: Unexplained) -> Iterator[Finding]:
    """Yield what was found, each with what was known of the like of it that was in case."""
    test = Caller(PythonLine.of_test(case.location), is_test=True) if case.location else None
    for finding in found:
        alike = [other for other in case.findings if _is_alike(finding, other)]
        known = (alike or case.findings)[0]
        yield replace(
            finding,
            phase=known.phase,
            caller=finding.caller or test,
            suppression=known.suppression,
        )


def _is_alike(one: Finding, other: Finding) -> bool:
    """Whether two errors are of the same place; the way there may be another each time."""
    tops = {finding.stack[0].function for finding in (one, other) if finding.stack}
    return one.kind is other.kind and len(tops) == 1


def _forget_noise(results: Results, case: Unexplained, found: Sequence[Finding]) -> None:
    for noise in case.findings:
        if any(_is_alike(noise, finding) for finding in found):
            with contextlib.suppress(ValueError):
                results.noise.remove(noise)
