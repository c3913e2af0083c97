"""A pytest session inside another that is checked: that of a test which calls ``pytest.main``."""

from __future__ import annotations

import pytest

from pytest_valgrind.session.item_frames import NearFrames
from pytest_valgrind.session.process import SessionChecker


class InnerSession(NearFrames):
    """Stands where a checker would be: all that is found belongs to the outer session.

    Its functions are called near to a frame of the outer test, as two sessions are deep.

    :param outer: that session's.
    """

    def __init__(self, outer: SessionChecker) -> None:
        super().__init__(outer.nearer)
        self._outer = outer

    def pytest_report_header(self) -> str:
        """Say whose findings will be what."""
        return f"{self._outer.name}: this session is part of one that is already checked"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Keep the stacks of crashes complete, although pytest has enabled faulthandler again."""
        self._outer.session_begins()
