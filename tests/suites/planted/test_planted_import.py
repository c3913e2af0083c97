"""Defects at the import of a test module."""

from __future__ import annotations

import flaws

flaws.read_at_import()
flaws.lose_at_import()


def test_in_module_with_defects() -> None:
    """Nothing."""
