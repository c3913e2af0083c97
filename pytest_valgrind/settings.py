"""What the user asked for: values of all options, read once and validated."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_valgrind.findings.baseline import NONE, Baseline
from pytest_valgrind.findings.ignore_rules import BY_DEFAULT, IgnoreRule
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.relevance import Scope
from pytest_valgrind.option_table import OPTIONS, option_named
from pytest_valgrind.options_of_hunts import are_ours


class Settings(NamedTuple):
    """A field for each option, in the order of the table (``option_table.py``)."""

    #: Whether tests run under memcheck.
    valgrind: bool
    log: Path | None
    #: Whether to look for leaks before each test, too.
    memcheck_before: bool
    #: Whether memcheck looks for errors only.
    no_memcheck: bool
    #: Options for valgrind, beyond the launcher's own.
    args: tuple[str, ...]
    suppressions: tuple[Path, ...]
    #: Where to write suppressions for what was found.
    gen_suppressions: Path | None
    #: Whether the interpreter's own errors fail a test.
    all_errors: bool
    #: Whether to find out anew which these are.
    calibrate: bool
    #: Kinds of leak that fail a test.
    leak_kinds: frozenset[Kind]
    #: Whether C stacks name Python functions.
    python_frames: bool
    #: Whether to look where uninitialised values are from upon which only the interpreter decides,
    #: and how many seconds that may take.
    origins: bool
    origins_seconds: float
    #: What limits to the memory of tests are multiplied by under valgrind.
    limit_factor: float
    #: Whether tests run with the native heap engine.
    heapcheck: bool
    #: What the heap engine's guards look at: ``on``, ``full`` or ``off``.
    guards: str
    #: Seconds that it may take to find the stacks of what was lost; 0 if they are not looked for.
    stacks_seconds: float
    #: Rules for leaks that the heap engine does not report.
    ignore: tuple[IgnoreRule, ...]
    #: When leaks are looked for: after a ``group`` of tests, after each (``exact``), or ``off``.
    leak_check: str
    #: Whether to run tests again one by one if it is not known which of them leaks.
    exact_rerun: bool
    #: Whether lost references to containers are looked for.
    references: bool
    #: Whether the collector need not look at what earlier tests have left.
    freeze: bool
    #: Globs for object and source files: only findings there fail a test.
    only: tuple[str, ...]
    #: What an ordinary failure is of a test without findings: ``xfail``, or ``report`` as it is.
    failures: str
    #: Whether a marker of a known defect that did not occur is a failure.
    strict: bool
    #: Whether failing tests are run once more to find the lines of Python.
    pinpoint: bool
    #: Whether the terminal shows what valgrind's log says of failures.
    show_log: bool
    #: Whether to go on, in a new process, after a test of which the process died.
    resume: bool
    #: Whether processes that tests start are checked, too.
    trace_children: bool
    #: Seconds after which a test is taken to hang.
    timeout: float | None
    #: What the timeouts of pytest-timeout are multiplied by.
    timeout_factor: float
    #: Where to write a log of the memory of each test.
    memory_log: Path | None
    #: Bytes by which the resident memory may grow in a test.
    memory_limit: float | None
    #: Bytes at which a test fails that has no marker with another limit.
    limit_memory: float | None
    #: Whether tests start with the native engine, for the markers of limits.
    limit_markers: bool
    #: Whether a test fails that uses more than in its last run.
    fail_on_increase: bool
    #: What is looked for that a test leaves behind: names of ``RESOURCE_KINDS``.
    resources: tuple[str, ...] | None
    #: Whether that fails it.
    resources_fail: bool
    #: Where to write reports: of HTML, of JSON, as SARIF; and earlier ones to compare with.
    memory_report: Path | None
    memory_earlier: tuple[Path, ...]
    memory_json: Path | None
    memory_sarif: Path | None
    #: What is known from before, None if nothing is; and whether it is to be written anew.
    baseline: Baseline | None
    baseline_update: bool
    #: Whether to print annotations: for ``github``, ``off``, or ``auto``.
    memory_annotations: str
    #: How often tests are repeated, to settle and to compare; None if they are not.
    leaks: tuple[int | None, int | None] | None
    leaks_stab: int | None
    leaks_run: int | None
    #: Runs after which a test may be clean, where no numbers of runs are given.
    leaks_repetitions: int
    #: Seconds after which a test is not repeated for longer, although something grows.
    leaks_seconds: float
    #: Whether a leak that shows by repetition fails its test: ``yes`` or ``no``.
    leaks_fail: str

    @property
    def memcheck(self) -> bool:
        """Whether memcheck looks for leaks at all."""
        return not self.no_memcheck and self.leak_check != "off"

    @property
    def counts_memory(self) -> bool:
        """Whether it must be known how much memory is in use."""
        return bool(self.limit_markers or self.limit_memory is not None or self.memory_log)

    @property
    def scope(self) -> Scope:
        """What tells the findings that fail a test from the others."""
        ignore = (*self.ignore, *BY_DEFAULT) if self.heapcheck else ()
        return Scope(self.only, all_errors=self.all_errors, ignore=ignore)

    @property
    def label(self) -> str:
        """Of the engine, for the header of a verdict."""
        return "VALGRIND" if self.valgrind else "HEAP"

    @property
    def name(self) -> str:
        """Of the engine, for sections of reports and of the summary."""
        return "valgrind" if self.valgrind else "heapcheck"

    @property
    def option(self) -> str:
        """By which the user asked for the engine."""
        return f"--{self.name}"

    @property
    def xfail_failures(self) -> bool:
        """Whether an ordinary failure of a test without findings is an xfail."""
        return self.failures == "xfail"

    def natively(self) -> Settings:
        """Return the settings of the native engine, where both are asked for."""
        return self._replace(valgrind=False, failures="report", resume=True, strict=False)

    def errors_only(self) -> Settings:
        """Return the settings of memcheck, where leaks were looked for natively before."""
        return self._replace(leak_check="off", exact_rerun=False)

    @classmethod
    def of(cls, config: pytest.Config, given: argparse.Namespace) -> Settings:
        """Read the command line and the ini file.

        :param given: the command line; early on, ``config.option`` does not hold it yet.
        :raises pytest.UsageError: if a value makes no sense.
        """
        is_native = not given.valgrind and option_named("heapcheck").value(config, given)
        # Where another plugin has options of that name, ours are not there.
        hunts = are_ours(config, given)
        values = {
            option.name: option.value(config, given, is_native=is_native)
            if hunts or option.engine != "hunt"
            else option.setting_by_default()
            for option in OPTIONS
        }
        settings = cls(
            **{
                **values,
                "trace_children": traces_children(config, given),
                "baseline": baseline_of(config, given),
            }
        )
        if settings.gen_suppressions in settings.suppressions:
            raise pytest.UsageError(
                f"--valgrind-gen-suppressions: {settings.gen_suppressions} would be overwritten, "
                "and is one of the suppression files: name another."
            )
        return settings

    @property
    def known_before(self) -> Baseline:
        """What is known from before."""
        return self.baseline or NONE

    @classmethod
    def by_default(cls) -> Settings:
        """Return what holds where nothing is asked for."""
        return cls(**{option.name: option.setting_by_default() for option in OPTIONS})

    def encoded(self) -> dict[str, Any]:
        """Return what JSON can hold, for another process."""
        return {option.name: option.type.encode(getattr(self, option.name)) for option in OPTIONS}

    @classmethod
    def decoded(cls, values: Mapping[str, Any]) -> Settings:
        """Return the settings of another process."""
        return cls(**{option.name: option.type.decode(values[option.name]) for option in OPTIONS})


def baseline_of(config: pytest.Config, given: argparse.Namespace) -> Baseline | None:
    """Return what is known from before, None if nothing is.

    :param given: the command line.
    :raises pytest.UsageError: if there is no such file, or it is another one.
    """
    baseline: Baseline | None = option_named("baseline").value(config, given)
    takes_all = option_named("baseline_update").value(config, given)
    if baseline is None:
        if takes_all:
            raise pytest.UsageError(
                "--memory-baseline-update: --memory-baseline=FILE is missing, which says where "
                "the baseline is."
            )
        return None
    if takes_all:
        return Baseline(baseline.path, baseline.known, takes_all=True)
    if not baseline.path.exists():
        raise pytest.UsageError(
            f"--memory-baseline: there is no file {baseline.path}; --memory-baseline-update "
            "writes it."
        )
    return baseline


def traces_children(config: pytest.Config, given: argparse.Namespace) -> bool:
    """Whether the processes that tests start are checked.

    With pytest-forked's ``--forked`` all that tests do happens there.

    :param given: the command line.
    :raises pytest.UsageError: if the ini file's value makes no sense.
    """
    asked: bool = option_named("trace_children").value(config, given)
    return asked or bool(getattr(given, "forked", False))
