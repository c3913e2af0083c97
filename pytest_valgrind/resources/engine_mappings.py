"""Mappings that a test has made and not undone, as the native heap engine counts them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner, Stack
from pytest_valgrind.heap.c_places import CFrames, placed
from pytest_valgrind.heap.engine import Engine, Mapping
from pytest_valgrind.items.fixtures import is_shared
from pytest_valgrind.resources.file_mappings import where_mapped
from pytest_valgrind.resources.openings import Opening

# It keeps pages for the code of callbacks, which are used again.
_OF_CALLBACKS = re.compile(r"ffi_closure_|dlmmap|ffi_tramp")
# Bytes of a thread's stack of Python frames: DATA_STACK_CHUNK_SIZE in CPython's pystate.c, 3.11 on.
_CHUNK = 16 * 1024
# Fixtures whose mappings are asked for although they have none: each may be set up by another.
_NESTED = 8


class EngineMappings:
    """The mappings of the test for which the calling thread works; anonymous memory as well.

    What the C library and the loader map is not among them, and each is known by its test, so that
    none is blamed on another. A fixture that tests share counts as a test, and its mappings are
    listed during all that follow. It is a plugin, as it has to know about those.
    """

    kind = Kind.MAPPING

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frames = CFrames()
        #: Places of shared fixtures, in the order in which they were set up.
        self._fixtures: dict[int, None] = {}

    @pytest.hookimpl
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> None:
        """Know the place of a fixture that tests share; its function is called after this."""
        place = self._engine.place
        if place is None or not is_shared(fixturedef):
            return
        self._fixtures[place] = None
        for known in list(self._fixtures)[:-_NESTED]:
            if not self._engine.mappings_of(known):
                del self._fixtures[known]

    def read(self) -> frozenset[Mapping]:
        """Return them, none between two tests."""
        place = self._engine.place
        if place is None:
            return frozenset()
        places = {place, *self._fixtures}
        return frozenset(each for known in places for each in self._engine.mappings_of(known))

    def settled(self, new: frozenset[Mapping]) -> frozenset[Mapping]:
        """Return those that are still there, and not libffi's."""
        place = self._engine.place
        has_threads = place is not None and self._engine.threads_of(place) > 0
        return frozenset(
            mapping
            for mapping in new & self.read()
            if not _is_kept(mapping, self._frames.at(mapping.caller), has_threads=has_threads)
        )

    def describe(self, thing: Mapping) -> str:
        """Return its size, and whether it is a file's."""
        return f"{plural(thing.length, 'byte')} of {'a file' if thing.is_file else 'memory'}"

    def where(self, thing: Mapping, openings: Sequence[Opening]) -> Stack:
        """Return the C function that made it, and the Python function if it was Python's mmap."""
        found = Finding(self.kind, "", (self._frames.at(thing.caller),))
        return (*placed([found])[0].stack, *where_mapped(thing.length, openings))


def _is_kept(mapping: Mapping, maker: Frame, *, has_threads: bool) -> bool:
    """Whether a mapping serves callbacks, or a thread that is a leftover itself."""
    is_stack = maker.owner is Owner.INTERPRETER and mapping.length == _CHUNK
    return bool(_OF_CALLBACKS.match(maker.function)) or (has_threads and is_stack)
