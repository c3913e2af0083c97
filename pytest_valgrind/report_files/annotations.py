"""Annotations of GitHub Actions: what is printed shows at the line of the change.

The form is that of GitHub's workflow commands ("Setting an error message").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: GitHub shows ten of a kind for each step; the rest is in the log alone.
_MOST = 50
_MOST_TESTS = 3


def annotation_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each defect that fails something, at its line of C or of Python."""
    places: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for finding in document["findings"]:
        if finding["status"] == "failed":
            location = finding.get("location", {})
            key = (finding["defect"], location.get("file"), location.get("line"))
            places.setdefault(key, []).append(finding)
    for found in list(places.values())[:_MOST]:
        yield _annotation(found)
    if (more := len(places) - _MOST) > 0:
        yield f"::error title=pytest-valgrind::and {more:,} more, in the log"


def _annotation(found: list[dict[str, Any]]) -> str:
    first = found[0]
    tests = list(dict.fromkeys(nodeid for finding in found for nodeid in finding["tests"]))
    where = ", ".join(tests[:_MOST_TESTS])
    if (more := len(tests) - _MOST_TESTS) > 0:
        where += f" and {more:,} more"
    location = first.get("location", {})
    properties = {
        "file": location.get("file"),
        "line": location.get("line"),
        "title": f"{first['kind']} ({first['check']})",
    }
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    words = f"{first['title']}\nin {where}" if where else first["title"]
    return f"::error {shown}::{_escaped(words)}"


def _property(value: object) -> str:
    return _escaped(str(value)).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
