"""The site that mkdocs makes of docs/: it is whole, and needs nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("material", reason="of the extra 'docs'")

ROOT = Path(__file__).parents[2]
SOURCES = sorted(ROOT.glob("docs/**/*.md"))
#: What a browser loads by itself, other than links that a reader follows.
LOADED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//[^"]*"')
STYLE = re.compile(r'<link\b(?=[^>]*\brel="(?:stylesheet|preconnect)")[^>]*"(?:https?:)?//[^"]*"')
REPOSITORY = "https://github.com/seberg/pytest-valgrind/blob/main/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a dead link, a missing heading or a page in no menu is an error."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(directory)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def pages(site: Path) -> Iterator[tuple[str, str]]:
    """Yield the pages, each with its address; reports of real runs are no pages of the site."""
    for path in sorted(set(site.rglob("*.html")) - set(site.glob("reports/*.html"))):
        yield str(path.relative_to(site)), path.read_text()


def test_every_page_is_there(site: Path) -> None:
    """Each is a folder, so that its address has no ``.html``."""
    sources = {str(path.relative_to(ROOT / "docs"))[: -len(".md")] for path in SOURCES}
    built = {address[: -len("/index.html")] for address, _ in pages(site) if "/" in address}
    assert built == sources - {"index"}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """It can be read without a network."""
    loaded = [
        f"{address}: {match[0]}"
        for address, text in pages(site)
        for match in (*LOADED.finditer(text), *STYLE.finditer(text))
    ]
    assert loaded == []


def test_markers_of_cog_are_gone(site: Path) -> None:
    """Readers see what the code has printed, and not the code."""
    assert [address for address, text in pages(site) if "[[[" in text or "cog.out" in text] == []


def test_links_to_the_repository_lead_somewhere(site: Path) -> None:
    """What is linked, and is no page, is a file of the checkout."""
    linked = {
        match[1] for _, text in pages(site) for match in re.finditer(f'"{REPOSITORY}([^"#]+)', text)
    }
    assert "pytest_valgrind/plugin.py" in linked
    assert [path for path in sorted(linked) if not (ROOT / path).exists()] == []


def test_every_page_can_be_searched(site: Path) -> None:
    """The index has each page's text."""
    found = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    addresses = {entry["location"].partition("#")[0].rstrip("/") for entry in found}
    built = {address[: -len("/index.html")] for address, _ in pages(site) if "/" in address}
    assert built <= addresses


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: page.stem)
def test_paragraphs_of_lists_are_indented_by_four(page: Path) -> None:
    """GitHub needs two or three columns; Python's Markdown would end the list there."""
    fenced, before, wrong = False, "", []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not before.strip() and re.match(r" {1,3}\S", line):
            wrong.append(f"{number}: {line}")
        before = line
    assert wrong == []
