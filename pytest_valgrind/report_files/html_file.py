"""The report as a page of HTML: one file, which loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_valgrind.report_files.earlier_report import DOCUMENT, TREND, EarlierReport
from pytest_valgrind.report_files.embedded_data import embed
from pytest_valgrind.report_files.headline import exit_words, headline
from pytest_valgrind.report_files.trend import trend

if TYPE_CHECKING:
    from jinja2 import Environment

_PAGE = Path(__file__).parent / "page"
_CHART = _PAGE / "vendor" / "uplot"
#: In this order, as the last one begins the work.
_SCRIPTS = (
    *("words", "elements", "run_data", "filters", "chart_style", "memory_chart", "frames"),
    *("finding_card", "finding_list", "test_table", "trend", "page"),
)


def write(document: dict[str, Any], path: Path, earlier: Sequence[EarlierReport] = ()) -> None:
    """Write the page of a run.

    :param earlier: reports to compare with.
    :raises OSError: if the file cannot be written.
    """
    path.write_text(page(document, earlier), encoding="utf-8", errors="replace")


def page(document: dict[str, Any], earlier: Sequence[EarlierReport] = ()) -> str:
    """Return the page of a run. It has the document in it, gzipped, and shows it by a script."""
    style = _text(_CHART / "uPlot.min.css") + _text(_PAGE / "report.css")
    chart = _text(_CHART / "uPlot.iife.min.js")
    parts = "".join(_text(_PAGE / f"{name}.js") for name in _SCRIPTS)
    script = f'"use strict";\n{parts}'
    start = datetime.fromisoformat(document["run"]["started"])
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            policy=_policy([style], [chart, script]),
            style=style,
            chart=chart,
            script=script,
            ids={"document": DOCUMENT, "trend": TREND},
            packed={"document": embed(document), "trend": embed(trend(document, earlier))},
            document=document,
            headline=headline(document),
            project=Path(document["run"]["repository"]).name or "/",
            started=f"{start.day} {start:%B %Y, %H:%M} UTC",
            exit=exit_words(document["run"]["exit_status"]),
        )
    )


def _environment() -> Environment:
    # Here, as whoever wants no page need not have it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return what the browser shall allow: these styles and scripts, and nothing else.

    So a mistake here, or a name of a test, can neither load anything nor run (CSP level 2).
    """
    return (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {' '.join(map(_digest, styles))}; script-src {' '.join(map(_digest, scripts))}"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
