"""The nine tests of 0.x's example, from the one command and from 0.x's own command lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import INI


def test_names_of_0x_natively() -> None:
    """They do nothing there."""
    import pytest_valgrind
    from pytest_valgrind import valgrind

    assert not pytest_valgrind.running_on_valgrind()
    assert valgrind.running_valgrind() == 0
    assert valgrind.get_valgrind_num_errs() == 0
    assert valgrind.do_leak_check() == 0
    valgrind.print_to_valgrind_log(b"to nobody")


def test_markers_need_no_registration(pytester: pytest.Pytester) -> None:
    """They may be registered, though."""
    pytester.makeini(f"{INI}markers = valgrind_known_leak: ours as well\n")
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.valgrind_known_leak(reason='x')\n"
        "@pytest.mark.valgrind_known_error(reason='x')\n"
        "@pytest.mark.valgrind_skip(reason='x')\n"
        "def test_natively():\n    pass\n"
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)


def test_installed_files_are_typed() -> None:
    """Type checkers of other projects see the types."""
    import pytest_valgrind

    assert (Path(pytest_valgrind.__file__).parent / "py.typed").exists()
