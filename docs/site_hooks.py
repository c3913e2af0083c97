"""What the pages of docs/, written for GitHub, need to be pages of the site (mkdocs.yml)."""

from __future__ import annotations

import posixpath
import re
from typing import Any

#: cog's markers, which say by what a part of the page is made.
_COG = re.compile(r"^<!-- \[\[\[.*?\]\]\] -->$", re.MULTILINE | re.DOTALL)
#: A link to a file that is not among the pages: outside of docs/, or an example to copy.
_OUTSIDE = re.compile(r"\]\(((?:\.\./|examples/)[^)\s]*)\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: object) -> str:
    """Return the page without markers, and with links to GitHub where the site has no file.

    :param page: mkdocs.structure.pages.Page.
    :param config: mkdocs.config.defaults.MkDocsConfig.
    """
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def to_github(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        is_page = path.startswith("docs/") and path.endswith(".md")
        return link[0] if is_page else f"]({config.extra['repository']}/blob/main/{path})"

    markdown = _OUTSIDE.sub(to_github, _COG.sub("", markdown))
    if folder == "docs/tables":
        page.meta["hide"] = ["toc"]  # the width is for the table
    # Tables are printed by programs, without a heading; the navigation has one.
    return (
        markdown if re.search(r"^# ", markdown, re.MULTILINE) else f"# {page.title}\n\n{markdown}"
    )
