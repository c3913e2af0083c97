"""The options of report files and of the baseline: rows of the table of options."""

from __future__ import annotations

from pytest_valgrind.option_paths import BaselineFile, EarlierReports, FileToWrite
from pytest_valgrind.option_types import Choice
from pytest_valgrind.options import Option

OPTIONS_OF_REPORTS: tuple[Option, ...] = (
    Option(
        "memory_report",
        ("--memory-report",),
        "any",
        "Write a page of HTML into FILE, with the memory of the process over all tests, and "
        "everything that was found, with stacks and source lines.",
        FileToWrite(),
        metavar="FILE",
    ),
    Option(
        "memory_earlier",
        ("--memory-earlier",),
        "any",
        "Show in --memory-report how this run compares to an earlier one, whose report FILE is, "
        "of HTML or of JSON. FILE may be that of --memory-report itself: then it need not be there "
        "before the first run, and knows all runs since.",
        EarlierReports(),
        metavar="FILE",
    ),
    Option(
        "memory_json",
        ("--memory-json",),
        "any",
        "Write everything that was found and measured into FILE as JSON.",
        FileToWrite(),
        metavar="FILE",
    ),
    Option(
        "memory_sarif",
        ("--memory-sarif",),
        "any",
        "Write everything that was found into FILE as SARIF 2.1.0, by which code hosts show it at "
        "the lines of a change.",
        FileToWrite(),
        metavar="FILE",
    ),
    Option(
        "baseline",
        ("--memory-baseline",),
        "any",
        "Have what FILE lists as known fail no test. It is known by its test and by its stack or "
        "the types of the objects, whatever the numbers of lines are.",
        BaselineFile(),
        metavar="FILE",
    ),
    Option(
        "baseline_update",
        ("--memory-baseline-update",),
        "any",
        "Write all that is found into the file of --memory-baseline, and have nothing of it fail a "
        "test. What is gone is taken out, if its test ran.",
        has_ini=False,
    ),
    Option(
        "memory_annotations",
        ("--memory-annotations",),
        "any",
        "Print what fails a test as annotations for GitHub Actions, which show at the lines of a "
        "change: always (github), never (off), or where GITHUB_ACTIONS is set (auto).",
        Choice("auto", "github", "off"),
        default="auto",
    ),
)
