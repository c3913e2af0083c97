"""The pages for readers: what they name is there, and their lines fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/*/*.md")])
#: Tables are printed by programs.
WRAPPED = [page for page in PAGES if page.parent.name != "tables"]
#: Pages about another project, with its paths.
OF_OTHERS = ("tutorial",)
FOLDERS = "pytest_valgrind|csrc|tests|evaluation|benchmarks|docs|tools|example"
WIDTH = 100


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that a writer breaks, with their numbers: no code, no tables."""
    fenced = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("|", "    ", "<!--")):
            yield number, line


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for target in targets:
        path, _, anchor = target.partition("#")
        if not target.startswith("https://"):
            linked = (page.parent / path) if path else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in OF_OTHERS], ids=name)
def test_paths_are_there(page: Path) -> None:
    for path in re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./*-]+)", page.read_text()):
        assert any(ROOT.glob(path.rstrip("./"))), path


@pytest.mark.parametrize("page", WRAPPED, ids=name)
def test_lines_fit(page: Path) -> None:
    assert [f"{n}: {line}" for n, line in prose(page) if len(line) > WIDTH] == []


def test_every_module_is_listed() -> None:
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    listed = set(re.findall(r"\]\(\.\./([\w./]+)\)", text))
    modules = {name(path) for path in ROOT.glob("pytest_valgrind/**/[!_]*.py")}
    files = {name(path) for path in ROOT.glob("csrc/*.c")} - {"csrc/_client.c"}
    missing = sorted((modules | files) - listed)
    assert not missing, (
        f"{missing}: put a new wing into WINGS of docs/outputs.py, if it is one, "
        "and run PYTHONPATH=. cog -r docs/how-it-works.md"
    )
