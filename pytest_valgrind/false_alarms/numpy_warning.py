"""A numpy warning about valgrind's arithmetic, which nobody can do anything about.

Valgrind computes with 64 bits where the processor has 80 (its manual, 1.6, "Limitations").
"""

from __future__ import annotations

import re
import warnings

# numpy looks at the bits of a longdouble, and does not know them (numpy#12930); 2.4 looks no more.
_NUMPY = "Signature b'"
_MODULES = ("numpy.core.getlimits", "numpy._core.getlimits")

#: As pytest's options ``-W``, of which the last that fits a warning counts.
OPTIONS = tuple(f"ignore:{_NUMPY}:UserWarning:{module}" for module in _MODULES)


def ignore_now() -> None:
    """Ignore them until the filters are what they were before.

    For a test with a filter marker, which takes precedence over pytest's options.
    """
    module = "|".join(rf"{re.escape(name)}\Z" for name in _MODULES)
    warnings.filterwarnings("ignore", _NUMPY, UserWarning, module)
