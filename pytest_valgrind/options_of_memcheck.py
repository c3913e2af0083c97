"""The options that only ``--valgrind`` reads, as rows of the table of options."""

from __future__ import annotations

from pytest_valgrind.option_paths import ExistingFiles, FilePath, FileToWrite
from pytest_valgrind.option_types import (
    LEAK_KINDS,
    LeakKinds,
    Number,
    Words,
)
from pytest_valgrind.options import Option

OPTIONS_OF_MEMCHECK = (
    Option(
        "valgrind",
        ("--valgrind",),
        "memcheck",
        "Run under valgrind's memcheck, which is started if need be, and fail each test that "
        "corrupts or leaks memory.",
        has_ini=False,
    ),
    Option(
        "log",
        ("--valgrind-log",),
        "memcheck",
        "Write valgrind's log into FILE. Where valgrind runs already, name the file of its log.",
        FilePath(),
        metavar="FILE",
        has_ini=False,
    ),
    Option(
        "memcheck_before",
        ("--memcheck-before-func",),
        "memcheck",
        "Check for leaks before each test as well, so that what leaks between two tests is never "
        "taken for the second's.",
        has_ini=False,
        dest="memcheck_before",
    ),
    Option(
        "no_memcheck",
        ("--no-memcheck",),
        "memcheck",
        "Do not check for leaks, only for errors.",
        has_ini=False,
        dest="disable_memcheck",
    ),
    Option(
        "args",
        ("--valgrind-args",),
        "memcheck",
        "Give valgrind more options, for example --valgrind-args='--track-origins=yes'.",
        Words(),
        metavar="ARGS",
    ),
    Option(
        "suppressions",
        ("--valgrind-suppressions",),
        "memcheck",
        "Have valgrind leave out what a suppression file describes.",
        ExistingFiles(),
        metavar="FILE",
    ),
    Option(
        "gen_suppressions",
        ("--valgrind-gen-suppressions",),
        "memcheck",
        "Write a suppression for everything that was found and is not marked as known. With that "
        "file the next run is clean.",
        FileToWrite(),
        metavar="FILE",
        has_ini=False,
    ),
    Option(
        "all_errors",
        ("--valgrind-all-errors",),
        "memcheck",
        "Fail a test for the interpreter's own errors as well.",
    ),
    Option(
        "calibrate",
        ("--valgrind-calibrate",),
        "memcheck",
        "Find out anew which errors the interpreter raises by itself. Without this option that is "
        "done once for each interpreter and each valgrind.",
        has_ini=False,
    ),
    Option(
        "leak_kinds",
        ("--valgrind-leak-kinds",),
        "memcheck",
        f"Fail a test for these kinds of leak: some of {', '.join(LEAK_KINDS)}.",
        LeakKinds(),
        metavar="KINDS",
        default="definite",
    ),
    Option(
        "python_frames",
        ("--valgrind-python-frames",),
        "memcheck",
        "Name Python functions in C stacks.",
    ),
    Option(
        "origins",
        ("--valgrind-no-origins",),
        "memcheck",
        "Do not run tests once more, at the end and with --track-origins=yes, in which the "
        "interpreter decides upon an uninitialised value that may be an extension's.",
        negates=True,
    ),
    Option(
        "origins_seconds",
        ("--valgrind-origins-seconds",),
        "memcheck",
        "Let the further run that looks for origins take no longer.",
        Number(),
        metavar="SECONDS",
        default="600",
    ),
    Option(
        "limit_factor",
        ("--valgrind-limit-factor",),
        "memcheck",
        "Multiply the limits of limit_memory and limit_leaks by N.",
        Number(),
        metavar="N",
        default="1",
    ),
)
