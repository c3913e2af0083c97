"""Every option and ini value, read once."""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_valgrind.findings.kind import LEAKS, Kind

_LEAK_CHECKS = ("group", "exact", "off")
# The names of 0.x that do not begin with ours.
_OLD_OPTIONS = ("--memcheck-before-func", "--no-memcheck")
_LEAK_KINDS = {kind.name.lower(): kind for kind in Kind if kind in LEAKS}


class Settings(NamedTuple):
    """What the user asked for."""

    enabled: bool
    log: Path | None
    #: When leaks are looked for: after a ``group`` of tests, after each (``exact``), or ``off``.
    leak_check: str
    #: Whether to run tests again one by one if it is not known which of them leaks.
    exact_rerun: bool
    memcheck_before: bool
    #: Options for valgrind, beyond the launcher's own.
    args: tuple[str, ...]
    suppressions: tuple[Path, ...]
    #: Kinds of leak that fail a test.
    leak_kinds: frozenset[Kind]
    #: Whether an ordinary failure of a test that is clean for valgrind is an xfail.
    xfail_failures: bool
    #: Whether a marker of a known defect that did not occur is a failure.
    strict: bool
    #: Whether the collector need not look at what earlier tests have left.
    freeze: bool
    #: Whether lost references to containers are looked for.
    references: bool
    #: Whether failing tests are run once more to find the lines of Python.
    pinpoint: bool
    #: Whether to go on, in a new process, after a test of which the process died.
    resume: bool
    #: Whether processes that tests start are checked, too.
    trace_children: bool
    #: Whether native stacks name functions of Python's.
    python_frames: bool
    #: Globs for object and source files: only findings there fail a test.
    only: tuple[str, ...]
    #: Whether the interpreter's own errors fail a test.
    all_errors: bool
    #: Whether to find out anew which these are.
    calibrate: bool
    #: Where to write suppressions for what was found.
    gen_suppressions: Path | None
    #: Whether to look where uninitialised values are from upon which only the interpreter decides,
    #: and how many seconds that may take.
    origins: bool = True
    origins_seconds: float = 600.0
    #: Seconds after which a test is taken to hang.
    timeout: float | None = None
    #: What the timeouts of pytest-timeout are multiplied by.
    timeout_factor: float = 20.0

    @property
    def memcheck(self) -> bool:
        """Whether leaks are looked for at all."""
        return self.leak_check != "off"

    heapcheck: bool = False
    guards: str = "cheap"
    stacks_seconds: float = 30.0

    @property
    def label(self) -> str:
        """Of the engine, for the header of a verdict."""
        return "VALGRIND" if self.enabled else "HEAP"

    @property
    def name(self) -> str:
        """Of the engine, for sections of reports and of the summary."""
        return "valgrind" if self.enabled else "heapcheck"

    @property
    def option(self) -> str:
        """By which the user asked for the engine."""
        return f"--{self.name}"

    @classmethod
    def of(cls, config: pytest.Config, option: argparse.Namespace) -> Settings:
        """Read the command line and the ini file.

        :param option: the command line; early on, ``config.option`` does not hold it yet.
        :raises pytest.UsageError: if a value makes no sense.
        """
        failures = option.valgrind_failures or config.getini("valgrind_failures")
        if failures not in ("xfail", "report"):
            raise pytest.UsageError(f"valgrind_failures is xfail or report, not {failures!r}.")
        try:
            args = [word for text in option.valgrind_args for word in shlex.split(text)]
        except ValueError as error:
            raise pytest.UsageError(f"--valgrind-args: {error}.") from None
        suppressions = [
            *config.getini("valgrind_suppressions"),
            *(config.invocation_params.dir / path for path in option.valgrind_suppressions),
        ]
        for path in suppressions:
            if not path.is_file():
                raise pytest.UsageError(f"--valgrind-suppressions: there is no file {path}.")
        gen_suppressions = _file_to_write(config, option.valgrind_gen_suppressions)
        if gen_suppressions in suppressions:
            raise pytest.UsageError(
                f"--valgrind-gen-suppressions: {gen_suppressions} would be overwritten, and is "
                "one of the suppression files: name another."
            )
        log = option.valgrind_log
        leak_kinds = option.valgrind_leak_kinds or config.getini("valgrind_leak_kinds")
        return cls(
            enabled=option.valgrind,
            heapcheck=option.heapcheck,
            log=config.invocation_params.dir / log if log else None,
            leak_check=_leak_check(config, option),
            exact_rerun=option.valgrind_exact_rerun or config.getini("valgrind_exact_rerun"),
            memcheck_before=option.memcheck_before,
            args=(*config.getini("valgrind_args"), *args),
            suppressions=tuple(suppressions),
            leak_kinds=_leak_kinds(leak_kinds),
            xfail_failures=not option.heapcheck and failures == "xfail",
            strict=option.valgrind_strict or config.getini("valgrind_strict"),
            freeze=not (option.valgrind_no_freeze or config.getini("valgrind_no_freeze")),
            references=not (
                option.valgrind_no_references or config.getini("valgrind_no_references")
            ),
            pinpoint=option.valgrind_pinpoint or config.getini("valgrind_pinpoint"),
            resume=option.valgrind_resume or config.getini("valgrind_resume"),
            trace_children=traces_children(config, option),
            python_frames=(
                option.valgrind_python_frames or config.getini("valgrind_python_frames")
            ),
            only=(*config.getini("valgrind_only"), *option.valgrind_only),
            all_errors=option.valgrind_all_errors or config.getini("valgrind_all_errors"),
            calibrate=option.valgrind_calibrate,
            gen_suppressions=gen_suppressions,
            origins=not (option.valgrind_no_origins or config.getini("valgrind_no_origins")),
            origins_seconds=_positive(config, option.valgrind_origins_seconds, "origins-seconds")
            or cls._field_defaults["origins_seconds"],
            timeout=_positive(config, option.valgrind_timeout, "timeout"),
            timeout_factor=_positive(config, option.valgrind_timeout_factor, "timeout-factor")
            or cls._field_defaults["timeout_factor"],
        )


def traces_children(config: pytest.Config, option: argparse.Namespace) -> bool:
    """Whether the processes that tests start are checked.

    With pytest-forked's ``--forked`` all that tests do happens there.

    :param option: the command line.
    """
    return bool(
        option.valgrind_trace_children
        or config.getini("valgrind_trace_children")
        or getattr(option, "forked", False)
    )


def add_options(parser: pytest.Parser) -> None:
    """Declare the options and ini values. The first four are those of 0.x."""
    group = parser.getgroup("valgrind", "memory errors and leaks, found by valgrind")
    option = group.addoption
    option(
        "--valgrind",
        action="store_true",
        help="Run under valgrind's memcheck, which is started if need be, and fail each test "
        "that corrupts or leaks memory.",
    )
    option("--heapcheck", action="store_true", help="Find lost memory natively.")
    option(
        "--valgrind-log",
        metavar="FILE",
        help="Valgrind's log file; found without this option too.",
    )
    option(
        "--memcheck-before-func",
        action="store_true",
        dest="memcheck_before",
        help="Check for leaks before each test as well, so that what leaks between two tests is "
        "never taken for the second's.",
    )
    option(
        "--no-memcheck",
        action="store_true",
        dest="disable_memcheck",
        help="Do not check for leaks, only for errors.",
    )
    option(
        "--valgrind-leak-check",
        choices=_LEAK_CHECKS,
        help="When to check for leaks: once for a group of tests, which finds out by the stack of "
        "an allocation which of them it was (default), after every test (exact), or never (off, "
        "the same as --no-memcheck).",
    )
    option(
        "--valgrind-exact-rerun",
        action="store_true",
        help="If it is not known which test of a group has lost some memory, run these tests "
        "again at the end, with a check after each.",
    )
    option(
        "--valgrind-args",
        metavar="ARGS",
        action="append",
        default=[],
        help="More options for valgrind, e.g. --valgrind-args='--track-origins=yes'.",
    )
    option(
        "--valgrind-suppressions",
        metavar="FILE",
        action="append",
        default=[],
        help="A suppression file for valgrind (repeatable).",
    )
    option(
        "--valgrind-gen-suppressions",
        metavar="FILE",
        help="Write a suppression for everything that was found and is not marked as known; with "
        "that file the next run is clean.",
    )
    option(
        "--valgrind-only",
        metavar="GLOB",
        action="append",
        default=[],
        help="Fail a test only for errors and leaks with a frame in an object or source file that "
        "fits, e.g. --valgrind-only='mypkg/*.so' (repeatable); the rest is listed.",
    )
    option(
        "--valgrind-all-errors",
        action="store_true",
        help="Fail a test for errors of the interpreter's own as well.",
    )
    option(
        "--valgrind-calibrate",
        action="store_true",
        help="Find out anew which errors the interpreter raises by itself; this is done once for "
        "each interpreter and each valgrind without this option.",
    )
    option(
        "--valgrind-leak-kinds",
        metavar="KINDS",
        help=f"Which leaks fail a test: some of {', '.join(_LEAK_KINDS)} (default: definite).",
    )
    option(
        "--valgrind-failures",
        choices=("xfail", "report"),
        help="What an ordinary failure is when valgrind found nothing: an expected failure "
        "(default), or the failure that it is.",
    )
    option(
        "--valgrind-strict",
        action="store_true",
        help="Fail a test that is marked with a known error or leak that did not occur.",
    )
    option(
        "--valgrind-pinpoint",
        action="store_true",
        help="Run each test in which something was found once more, in a forked process, and say "
        "which line of Python raised the error or lost the memory. What tests do to the world "
        "outside, to files and ports, they do again.",
    )
    option(
        "--valgrind-resume",
        action="store_true",
        help="When the process under valgrind dies in a test, go on after that test in a new one, "
        "and run the tests again that were not checked for leaks yet (with pytest-xdist's -n this "
        "is always so).",
    )
    option(
        "--valgrind-trace-children",
        action="store_true",
        help="Check the processes that a test starts and forks as well: what is found in them "
        "fails the test. Each takes as long to start as the tests' own.",
    )
    option(
        "--valgrind-python-frames",
        action="store_true",
        help="Name the functions of Python's in native stacks, from Python 3.12 on.",
    )
    option(
        "--valgrind-no-references",
        action="store_true",
        help="Do not look for lost references to lists, dicts, instances and other objects that "
        "the garbage collector knows.",
    )
    option(
        "--valgrind-no-freeze",
        action="store_true",
        help="Do not call gc.freeze after each test, which makes garbage collections fast: for "
        "suites that look at the collector's own state.",
    )
    option(
        "--valgrind-no-origins",
        action="store_true",
        help="Do not run tests once more, at the end and with --track-origins=yes, in which the "
        "interpreter decides upon an uninitialised value that may be an extension's.",
    )
    option(
        "--valgrind-origins-seconds",
        metavar="SECONDS",
        help="How long that further run may take (default: 600).",
    )
    option(
        "--valgrind-timeout",
        metavar="SECONDS",
        help="Fail a test that takes longer, with the stacks of Python and of C of where it hangs.",
    )
    option(
        "--valgrind-timeout-factor",
        metavar="N",
        help="What the timeouts of pytest-timeout are multiplied by, as everything takes longer "
        "under valgrind (default: 20).",
    )
    parser.addini("valgrind_pinpoint", "See --valgrind-pinpoint.", type="bool", default=False)
    parser.addini("valgrind_resume", "See --valgrind-resume.", type="bool", default=False)
    parser.addini(
        "valgrind_trace_children", "See --valgrind-trace-children.", type="bool", default=False
    )
    parser.addini(
        "valgrind_python_frames", "See --valgrind-python-frames.", type="bool", default=False
    )
    parser.addini(
        "valgrind_no_references", "See --valgrind-no-references.", type="bool", default=False
    )
    parser.addini("valgrind_leak_check", "See --valgrind-leak-check.", default="group")
    parser.addini("valgrind_exact_rerun", "See --valgrind-exact-rerun.", type="bool", default=False)
    parser.addini("valgrind_args", "More options for valgrind.", type="args", default=[])
    parser.addini(
        "valgrind_suppressions", "Suppression files for valgrind.", type="paths", default=[]
    )
    parser.addini("valgrind_only", "See --valgrind-only.", type="args", default=[])
    parser.addini("valgrind_all_errors", "See --valgrind-all-errors.", type="bool", default=False)
    parser.addini("valgrind_leak_kinds", "Which leaks fail a test.", default="definite")
    parser.addini("valgrind_failures", "xfail or report: see --valgrind-failures.", default="xfail")
    parser.addini("valgrind_strict", "See --valgrind-strict.", type="bool", default=False)
    parser.addini("valgrind_no_origins", "See --valgrind-no-origins.", type="bool", default=False)
    parser.addini("valgrind_origins_seconds", "See --valgrind-origins-seconds.")
    parser.addini("valgrind_timeout", "See --valgrind-timeout.")
    parser.addini("valgrind_timeout_factor", "See --valgrind-timeout-factor.")
    parser.addini("valgrind_no_freeze", "See --valgrind-no-freeze.", type="bool", default=False)


def without_effect(arguments: Iterable[str]) -> list[str]:
    """Return those of our options among arguments that act only together with ``--valgrind``."""
    options = takewhile(lambda word: word != "--", map(str, arguments))
    names = dict.fromkeys(word.partition("=")[0] for word in options)
    return [name for name in names if name.startswith("--valgrind-") or name in _OLD_OPTIONS]


def _leak_check(config: pytest.Config, option: argparse.Namespace) -> str:
    if option.disable_memcheck:
        return "off"
    chosen = option.valgrind_leak_check or config.getini("valgrind_leak_check")
    if chosen not in _LEAK_CHECKS:
        names = " or ".join(_LEAK_CHECKS)
        raise pytest.UsageError(f"valgrind_leak_check is {names}, not {chosen!r}.")
    return str(chosen)


def _file_to_write(config: pytest.Config, name: str | None) -> Path | None:
    if name is None:
        return None
    path = config.invocation_params.dir / name
    if path.is_dir() or not path.parent.is_dir():
        raise pytest.UsageError(
            f"--valgrind-gen-suppressions: {path} cannot be written: there is "
            f"{'a directory of this name' if path.is_dir() else f'no directory {path.parent}'}."
        )
    return path


def _positive(config: pytest.Config, given: str | None, name: str) -> float | None:
    """Return a number from the command line or else the ini file, None if it is in neither."""
    text = given if given is not None else config.getini(f"valgrind_{name.replace('-', '_')}")
    if not text and given is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise pytest.UsageError(f"--valgrind-{name} takes a number above 0, not {text!r}.")
    return number


def _leak_kinds(text: str) -> frozenset[Kind]:
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in _LEAK_KINDS]
    if unknown:
        raise pytest.UsageError(
            f"--valgrind-leak-kinds takes some of {', '.join(_LEAK_KINDS)}, not {unknown[0]!r}."
        )
    return frozenset(_LEAK_KINDS[name] for name in names)
