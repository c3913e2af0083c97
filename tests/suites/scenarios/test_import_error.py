"""A module that errs when it is imported, and leaks."""

from __future__ import annotations

import defective

defective.free_twice()
defective.leak(555)


def test_in_module_that_errs() -> None:
    """Nothing."""
