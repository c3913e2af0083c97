"""Mappings that a test has made and not undone, as the native heap engine counts them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Stack
from pytest_valgrind.heap.c_places import CFrames
from pytest_valgrind.heap.engine import Engine, Mapping
from pytest_valgrind.resources.file_mappings import where_mapped
from pytest_valgrind.resources.openings import Opening

# It keeps pages for the code of callbacks, which are used again.
_OF_CALLBACKS = re.compile(r"ffi_closure_|dlmmap|ffi_tramp")


class EngineMappings:
    """The mappings of the test for which the calling thread works; anonymous memory as well.

    What the C library and the loader map is not among them, and each is known by its test, so that
    none is blamed on another.
    """

    kind = Kind.MAPPING

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frames = CFrames()

    def read(self) -> frozenset[Mapping]:
        """Return them, none between two tests."""
        place = self._engine.place
        return frozenset(() if place is None else self._engine.mappings_of(place))

    def settled(self, new: frozenset[Mapping]) -> frozenset[Mapping]:
        """Return those that are still there, and not libffi's."""
        return frozenset(
            mapping
            for mapping in new & self.read()
            if not _OF_CALLBACKS.match(self._frames.at(mapping.caller).function)
        )

    def describe(self, thing: Mapping) -> str:
        """Return its size, and whether it is a file's."""
        return f"{plural(thing.length, 'byte')} of {'a file' if thing.is_file else 'memory'}"

    def where(self, thing: Mapping, openings: Sequence[Opening]) -> Stack:
        """Return the C function that made it, and the Python function if it was Python's mmap."""
        return (self._frames.at(thing.caller), *where_mapped(thing.length, openings))
