"""The options of checks that need no engine, and work beside one: rows of the table of options."""

from __future__ import annotations

from pytest_valgrind.option_paths import LogToWrite
from pytest_valgrind.option_types import RESOURCE_KINDS, Names, Size
from pytest_valgrind.options import Option

OPTIONS_OF_CHECKS: tuple[Option, ...] = (
    Option(
        "memory_log",
        ("--memory-log",),
        "any",
        "Write a line of JSON for each test into FILE: its outcome, its duration, and the resident "
        "memory of the process before it, after it and at most, in bytes. FILE is memory-log.jsonl "
        "where none is given. The summary lists the tests by which memory grew most.",
        LogToWrite("memory-log.jsonl", b'{"nodeid": '),
        metavar="FILE",
        has_ini=False,
    ),
    Option(
        "memory_limit",
        ("--memory-limit",),
        "any",
        "Fail each test by which the resident memory of the process grows by more than SIZE, for "
        "example 10MB.",
        Size(),
        metavar="SIZE",
    ),
    Option(
        "limit_memory",
        ("--limit-memory",),
        "any",
        "Fail each test that uses SIZE or more at a time, for example 500MB, unless its marker "
        "limit_memory has another size. This starts the tests with the native engine.",
        Size(),
        metavar="SIZE",
    ),
    Option(
        "limit_markers",
        ("--limit-markers",),
        "any",
        "Start the tests with the native engine, for the markers limit_memory and limit_leaks. "
        "Without this option that is done when they have been collected. The workers of "
        "pytest-xdist need it.",
    ),
    Option(
        "fail_on_increase",
        ("--memory-fail-on-increase", "--fail-on-increase"),
        "any",
        "Fail a test that has a limit_memory if it uses more than in its last run, by more than 1 "
        "percent and 4 KB.",
        rival="pytest_memray",
    ),
    Option(
        "resources",
        ("--resources",),
        "any",
        "Name what each test has opened, started or made and not closed or ended: some of "
        f"{', '.join(RESOURCE_KINDS)}, or all.",
        Names(*RESOURCE_KINDS),
        metavar="NAMES",
    ),
    Option(
        "resources_fail",
        ("--resources-fail",),
        "any",
        "Fail a test that leaves something of --resources behind, instead of warning of it.",
    ),
)
