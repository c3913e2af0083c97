"""The checks around each test: what it leaves is warned of, or fails it at its teardown."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

import pytest

from pytest_valgrind.findings.baseline import NONE, Baseline
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.verdict import LEFTOVER, Outcome, Verdict
from pytest_valgrind.items.fixtures import FixturePhase, is_shared, phases_of, wrap_finalizers
from pytest_valgrind.markers import ALLOW_LEFTOVER
from pytest_valgrind.option_types import RESOURCE_KINDS
from pytest_valgrind.pytest_internals import cached_value, finalizers_of, is_set_up_as
from pytest_valgrind.reporting.paragraphs import text
from pytest_valgrind.reporting.reports import give_to_fixtures
from pytest_valgrind.resources.leftovers import ATTRIBUTE, LeftoverWarning, packed
from pytest_valgrind.resources.openings import Openings
from pytest_valgrind.resources.resource import Resource
from pytest_valgrind.resources.watch import Watch


class ResourceChecks:
    """A plugin that compares what is open before and after each test.

    :param names: of the resources, as ``--resources`` has them.
    :param fails: whether a test fails that leaves something.
    :param known_before: what may be left, as it was before.
    """

    def __init__(self, names: Sequence[str], *, fails: bool, known_before: Baseline = NONE) -> None:
        self._fails = fails
        self._known_before = known_before
        self._openings = Openings()
        self._made = {name: _resource(name, self._openings) for name in names}
        self._names = {resource.kind: name for name, resource in self._made.items()}
        self._watch = Watch(list(self._made.values()), self._openings)
        self._has_failed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Listen for what is opened."""
        self._openings.listen()
        for resource in self._made.values():
            if hasattr(resource, "pytest_fixture_setup"):
                session.config.pluginmanager.register(resource)

    def pytest_unconfigure(self) -> None:
        """Listen no more."""
        self._openings.stop()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """See whether markers name what there is, before a test runs."""
        for item in items:
            for marker in item.iter_markers(ALLOW_LEFTOVER):
                unknown = [name for name in marker.args if name not in RESOURCE_KINDS]
                if unknown:
                    raise pytest.UsageError(
                        f"{item.nodeid}: marker {ALLOW_LEFTOVER} takes some of "
                        f"{', '.join(RESOURCE_KINDS)}, not {unknown[0]!r}."
                    )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        """Read what there is, below whatever other plugins do around a test."""
        self._has_failed = False
        self._watch.begin()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Take what a fixture of wider scope opens as that fixture's."""
        if not is_shared(fixturedef):
            return (yield)
        setup, teardown = phases_of(fixturedef, request)
        before = len(finalizers_of(fixturedef))
        value: list[object] = []
        try:
            with self._watch.phase(setup.words, partial(_is_over, fixturedef, value)):
                return (yield)
        finally:
            value.append(cached_value(fixturedef))
            wrap_finalizers(fixturedef, before, partial(self._wrapped, teardown))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Look at what is left when a test has been torn down."""
        report = yield
        # Its traceback keeps what the functions of a failed test have in their variables.
        self._has_failed |= report.failed or hasattr(report, "wasxfail")
        if call.when == "teardown":
            left = self._watch.end()
            vars(report)[ATTRIBUTE] = []
            if not self._has_failed:
                self._give(item, report, self._not_allowed(item, left))
        return report

    def _give(self, item: pytest.Item, report: pytest.TestReport, left: Sequence[Finding]) -> None:
        if not left:
            return
        left = self._known_before.marked(item.nodeid, left)
        vars(report)[ATTRIBUTE] = packed(left)
        left = [found for found in left if not found.known]
        if not left:
            return
        fails = self._fails
        if not fails:
            try:
                item.warn(LeftoverWarning(text(Verdict(Outcome.KNOWN, LEFTOVER), left)))
            except LeftoverWarning:  # the user has made it an error
                fails = True
        if fails:
            give_to_fixtures(Verdict(Outcome.FAILED, LEFTOVER), left, [report])

    def _not_allowed(self, item: pytest.Item, left: Sequence[Finding]) -> list[Finding]:
        """Return what no marker allows."""
        if not left:
            return []
        markers = list(item.iter_markers(ALLOW_LEFTOVER))
        allowed = {name for marker in markers for name in marker.args or RESOURCE_KINDS}
        return [found for found in left if self._names[found.kind] not in allowed]

    def _wrapped(
        self, teardown: FixturePhase, finalizer: Callable[[], object]
    ) -> Callable[[], object]:
        def finalize() -> object:
            with self._watch.phase(teardown.words, lambda: True):
                return finalizer()

        return finalize


def _is_over(fixturedef: pytest.FixtureDef[object], value: Sequence[object]) -> bool:
    return not (value and is_set_up_as(fixturedef, value[0]))


def _resource(name: str, openings: Openings) -> Resource[Any]:
    """Return what knows a kind of resource, by its name of ``--resources``."""
    # Each module is imported only if somebody asks for it.
    if name == "fds":
        from pytest_valgrind.resources.descriptors import Descriptors

        return Descriptors(openings)
    if name == "maps":
        return _mappings()
    if name in ("threads", "native_threads"):
        from pytest_valgrind.resources.threads import NativeThreads, Threads

        return Threads() if name == "threads" else NativeThreads()
    if name == "children":
        from pytest_valgrind.resources.child_processes import ChildProcesses

        return ChildProcesses()
    if name == "tempfiles":
        from pytest_valgrind.resources.temporary_files import TemporaryFiles

        return TemporaryFiles(openings)
    from pytest_valgrind.resources.garbage_list import GarbageList

    return GarbageList()


def _mappings() -> Resource[Any]:
    from pytest_valgrind.resources.file_mappings import FileMappings

    try:
        from pytest_valgrind.heap.engine import Engine
        from pytest_valgrind.resources.engine_mappings import EngineMappings

        return EngineMappings(Engine())
    except (ImportError, RuntimeError):  # the engine is not in this process
        return FileMappings()
