"""A module that is marked as a whole."""

from __future__ import annotations

import defective
import pytest

pytestmark = pytest.mark.valgrind_known_error(reason="the whole module errs")


def test_in_marked_module() -> None:
    """Known."""
    defective.read_past_end()
