"""Hooks with defects of their own, and items of an unusual kind."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import defective
import pytest


class RecipeItem(pytest.Item):
    """An item that is no function."""

    def runtest(self) -> None:
        """Do what the recipe says."""
        getattr(defective, self.name)()

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where it is."""
        return self.path, 0, self.name


class RecipeFile(pytest.File):
    """A file with an item a line."""

    def collect(self) -> Iterator[pytest.Item]:
        """Read the lines."""
        for line in self.path.read_text().split():
            yield RecipeItem.from_parent(self, name=line)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect recipes."""
    if file_path.suffix == ".recipe":
        return RecipeFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Err and leak between two tests."""
    try:
        return (yield)
    finally:
        if item.name == "test_before_defects_between_tests":
            defective.leak(77)
            defective.read_past_end()
