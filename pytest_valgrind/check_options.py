"""The options of checks that need no engine, and use one where it is at work."""

from __future__ import annotations

from pytest_valgrind.option_types import RESOURCE_KINDS, Names
from pytest_valgrind.options import Option

RESOURCES: tuple[Option, ...] = (
    Option(
        "resources",
        ("--resources",),
        "none",
        "Name what each test has opened, started or made and not closed or ended: some of "
        f"{', '.join(RESOURCE_KINDS)}, or all.",
        Names(*RESOURCE_KINDS),
        metavar="NAMES",
    ),
    Option(
        "resources_fail",
        ("--resources-fail",),
        "none",
        "Fail a test that leaves something of --resources behind, instead of warning of it.",
    ),
)
