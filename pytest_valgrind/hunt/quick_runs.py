"""A test that has passed runs again without what pytest does for its report.

Setup, call and teardown are the same, in the same order, with the hooks of other plugins. But
output and logs are captured for all runs together rather than for each phase, and no report is made
of what has passed: that takes nine tenths of the time that a short test takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Literal, NoReturn

import pytest

from pytest_valgrind import pytest_phases

#: Fixtures that need what pytest notes of each phase: its log, its reports, whether it has passed.
_NEED_PHASES = frozenset({"caplog", "subtests", "tmp_path"})
#: Modules whose hooks for making reports do nothing that a run needs if the one before has passed.
_MAKE_REPORTS = ("_pytest.", "pytest_valgrind.", "_hypothesis_pytestplugin", "pytest_rerunfailures")


def can_run_quickly(item: pytest.Item, fixtures: Iterable[str]) -> bool:
    """Whether nobody sees a difference.

    :param item: that has passed.
    :param fixtures: that were set up for it.
    """
    return (
        # Others may note in their own ways that they have failed, as unittest's do.
        type(item) is pytest.Function
        and _NEED_PHASES.isdisjoint(fixtures)
        and item.get_closest_marker("xfail") is None
        and not pytest_phases.shows_phases(item.config)
        and all(module.startswith(_MAKE_REPORTS) for module in pytest_phases.report_makers(item))
    )


class QuickRuns:
    """Runs a test.

    :param nextitem: what is set up for it stays.
    """

    def __init__(self, item: pytest.Item, nextitem: pytest.Item) -> None:
        self._item = item
        self._nextitem = nextitem
        self._phases = pytest_phases.quick_phases(item)

    @contextlib.contextmanager
    def together(self) -> Iterator[Callable[[], list[pytest.TestReport]]]:
        """Return what runs it once more, and returns the reports of what has not passed."""
        with pytest_phases.captured_together(self._item) as forget:

            def run() -> list[pytest.TestReport]:
                try:
                    return self._run()
                finally:
                    forget()

            yield run

    def _run(self) -> list[pytest.TestReport]:
        item, phases = self._item, self._phases
        reports = []
        when: Literal["setup", "call"] = "setup"
        with pytest_phases.new_request(item):
            try:
                phases.setup()
                when = "call"
                phases.call()
            except (pytest.exit.Exception, KeyboardInterrupt):
                raise
            except BaseException as error:
                reports.append(self._report(when, error))
            is_last = item.session.shouldfail or item.session.shouldstop
            try:
                phases.teardown(None if is_last else self._nextitem)
            except (pytest.exit.Exception, KeyboardInterrupt):
                raise
            except BaseException as error:
                reports.append(self._report("teardown", error))
        return reports

    def _report(
        self, when: Literal["setup", "call", "teardown"], error: BaseException
    ) -> pytest.TestReport:
        call = pytest.CallInfo.from_call(partial(_raise, error), when)
        report: pytest.TestReport = self._item.ihook.pytest_runtest_makereport(
            item=self._item, call=call
        )
        return report


def _raise(error: BaseException) -> NoReturn:
    raise error
