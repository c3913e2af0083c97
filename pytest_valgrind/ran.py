"""A test that ran and is not judged yet."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pytest_valgrind.findings import Finding


@dataclass
class RanTest:
    """A test that ran, with its reports held back until its verdict is known."""

    item: pytest.Item
    reports: list[pytest.TestReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
