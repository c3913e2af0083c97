"""A session of pytest's inside another that is checked: of a test that calls ``pytest.main``."""

from __future__ import annotations

import pytest

from pytest_valgrind import client

_PART = "valgrind: a session that runs already in this process is checked, and this is part of it"


class InnerSession:
    """Stands where a checker would be: all that is found belongs to the outer session."""

    def pytest_report_header(self) -> str:
        """Say whose findings will be what."""
        return _PART

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Have stacks of deaths complete, although pytest has enabled faulthandler once more."""
        client.handle_deaths_on_stack()
