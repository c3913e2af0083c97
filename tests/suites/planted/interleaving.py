"""Clean tests between those with a defect."""

from __future__ import annotations

from collections.abc import Callable

import flaws

Defect = Callable[[], object]


def interleaved(*defects: Defect) -> list[Defect]:
    """Return functions with a defect, and before and after each one that has none."""
    return [flaws.nothing, *(each for defect in defects for each in (defect, flaws.nothing))]
