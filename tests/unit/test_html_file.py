"""The report as a page: what is in it, what it may load, and that nothing gets out of its data."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import HOSTILE, ROOT, run_document
from report_schemas import errors_in_report

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.report_files import earlier_report, html_file
from pytest_valgrind.report_files.earlier_report import DOCUMENT, TREND
from pytest_valgrind.report_files.embedded_data import extract
from pytest_valgrind.report_files.finding_record import FindingRecords
from pytest_valgrind.report_files.source_tree import SourceTree

VENDOR = Path(html_file.__file__).parent / "page" / "vendor"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
#: Without them, Chromium asks for its maker's hosts.
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element."""
        self.found.append((tag, dict(attrs)))
        self._within = tag if tag in self.texts else ""
        if self._within:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        """Take the end of one."""
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        """Take a text."""
        if self._within:
            self.texts[self._within][-1] += data


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return run_document(50, 30)


@pytest.fixture(scope="module")
def page(document: dict[str, Any]) -> str:
    return html_file.page(document)


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_the_document_is_in_the_page(page: str, document: dict[str, Any]) -> None:
    assert extract(page, DOCUMENT) == document


def test_the_made_up_run_is_as_the_schema_says(document: dict[str, Any]) -> None:
    assert errors_in_report(document) == []


def test_a_suppression_is_one_that_valgrind_takes() -> None:
    """Valgrind's own has frames of ours at its end, which are another for each test."""
    records = FindingRecords(SourceTree(ROOT), {})
    frame = Frame(0, "lose", "ext.c", 7, owner=Owner.EXTENSION)
    printed = ("<insert_a_suppression_name_here>", "Memcheck:Cond", "fun:lose", "fun:pvg_low_01")
    finding = Finding(Kind.UNINITIALISED, "Conditional jump", (frame,), suppression=printed)
    records.add(finding, status="failed", place="test", tests=["test_it"], check="valgrind")
    assert records.records[0]["suppression"].splitlines() == [
        "{",
        "   test_it: uninitialised value",
        "   Memcheck:Cond",
        "   fun:lose",
        "}",
    ]


def test_the_trend_is_in_the_page(page: str) -> None:
    assert [run["tests"] for run in extract(page, TREND)["runs"]] == [50]


def test_a_lone_surrogate_is_no_obstacle(tmp_path: Path) -> None:
    """Names of files that are not UTF-8 have some."""
    document = run_document(1, 0)
    document["run"]["rootdir"] = "/odd/\udcff"
    html_file.write(document, tmp_path / "report.html")
    assert extract((tmp_path / "report.html").read_text(), DOCUMENT)["run"]["rootdir"] == "/odd/?"


def test_nothing_is_loaded(elements: Elements) -> None:
    loading = {"src", "href", "srcset", "data", "poster", "action", "formaction"}
    values = {
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in loading
    }
    assert all(value and value.startswith(("#", "data:,")) for value in values)
    assert not any("url(" in style or "@import" in style for style in elements.texts["style"])


def test_the_policy_allows_these_scripts_and_styles_alone(elements: Elements) -> None:
    (policy,) = (
        attributes["content"] or ""
        for tag, attributes in elements.found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    kinds = [attributes.get("type") for tag, attributes in elements.found if tag == "script"]
    scripts = [
        text for kind, text in zip(kinds, elements.texts["script"], strict=True) if kind is None
    ]
    wanted = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (*scripts, *elements.texts["style"])
    }
    assert len(scripts) == 2
    assert set(re.findall(r"'sha256-[^']+'", policy)) == wanted
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_hostile_names_are_no_markup(page: str, elements: Elements) -> None:
    assert HOSTILE not in page
    assert "<img" not in page
    assert [tag for tag, _ in elements.found].count("script") == 4


def test_hostile_words_are_shown_as_they_are(page: str) -> None:
    """Those that stand in the page itself, such as hints and the command."""
    assert "a hint &lt;/script&gt;&lt;script&gt;alert(&#39;out&#39;)" in page


def test_no_script_ends_within_itself() -> None:
    scripts = Path(html_file.__file__).parent.glob("page/**/*.js")
    assert not any("</script" in script.read_text() for script in scripts)


def test_no_script_takes_text_for_markup() -> None:
    """But for the library of charts, which gets none."""
    for script in Path(html_file.__file__).parent.glob("page/*.js"):
        text = script.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_the_same_run_makes_the_same_page(document: dict[str, Any], page: str) -> None:
    assert html_file.page(document) == page


def test_five_thousand_findings_fit_into_five_megabytes() -> None:
    assert len(html_file.page(run_document(5000, 5000)).encode()) < 5_000_000


def test_the_library_of_charts_is_the_one_that_its_readme_names() -> None:
    header = (VENDOR / "uplot" / "uPlot.iife.min.js").read_text().partition("\n")[0]
    assert header == "/*! https://github.com/leeoniya/uPlot (v1.6.32) */"
    readme = (VENDOR / "README.md").read_text()
    assert "1.6.32" in readme and "npm" in readme


def test_the_licence_of_the_library_is_there() -> None:
    licence = (VENDOR / "uplot" / "LICENSE").read_text()
    assert licence.startswith("The MIT License (MIT)\n\nCopyright (c) 2022 Leon Sorokin")


def shown(directory: Path, page: str, address: str = "") -> str:
    """Return the text of the page when its script has run in a browser."""
    assert CHROMIUM is not None
    file = directory / "report.html"
    file.write_text(page)
    done = subprocess.run(
        [
            CHROMIUM,
            *OPTIONS,
            f"--user-data-dir={directory / 'profile'}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{file.as_uri()}{address}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", done.stdout, flags=re.DOTALL)
    assert 'data-ready="yes"' in done.stdout
    return body


@pytest.fixture(scope="module")
def in_browser(tmp_path_factory: pytest.TempPathFactory, page: str) -> str:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    return shown(tmp_path_factory.mktemp("browser"), page)


def titles(body: str) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", body)


def test_a_browser_shows_each_defect_once(in_browser: str, document: dict[str, Any]) -> None:
    defects = {finding["defect"] for finding in document["findings"]}
    assert len(titles(in_browser)) == len(defects)


def test_a_browser_shows_all_tests(in_browser: str) -> None:
    assert in_browser.count('<th scope="row"') == 50


def test_a_browser_shows_the_number_of_findings(in_browser: str) -> None:
    assert re.search(r'id="count" role="status">30 findings, \d+ defects<', in_browser)


def test_a_browser_draws_the_memory(in_browser: str) -> None:
    assert in_browser.count("<canvas") == 2


def test_a_browser_takes_no_name_for_markup(in_browser: str) -> None:
    assert "<img" not in in_browser
    assert "&lt;img src=//" in in_browser.replace("<wbr>", "")


def test_the_address_says_which_findings_are_shown(
    tmp_path: Path, page: str, document: dict[str, Any]
) -> None:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    body = shown(tmp_path, page, "#status=known&kind=any+error")
    wanted = [
        finding
        for finding in document["findings"]
        if (finding["status"], finding["category"]) == ("known", "error")
    ]
    assert len(wanted) > 0
    assert f"{len(wanted)} of 30 findings" in body
    assert len(titles(body)) == len({finding["defect"] for finding in wanted})


def test_the_address_opens_a_finding(tmp_path: Path, page: str, document: dict[str, Any]) -> None:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    finding = document["findings"][7]
    body = shown(tmp_path, page, f"#finding={finding['id']}")
    card = body[body.index(f'id="defect-{finding["defect"]}"') :]
    card = card[: card.index('<p class="identity">') + 2000]
    assert finding["stack"][0]["function"].partition("<")[0] in card
    assert finding["fingerprint"] in card


def test_a_browser_compares_runs_of_several_workers(tmp_path: Path) -> None:
    """It shows what is new and what is gone, and a line for each worker."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    earlier = tmp_path / "earlier.html"
    html_file.write(run_document(20, 12, started="2026-11-26T10:00:00+00:00", seed=2), earlier)
    document = run_document(20, 12)
    for number, test in enumerate(document["tests"]):
        test["worker"] = f"gw{number % 3}"
    page = html_file.page(document, [earlier_report.read(earlier)])
    trend = extract(page, TREND)
    new = sum(finding["fingerprint"] in trend["new"] for finding in document["findings"])
    body = shown(tmp_path, page)
    assert f"{new} new, {len(trend['gone'])} gone, {12 - new} as before." in body
    assert all(f"</span>gw{number}</li>" in body for number in range(3))
    assert body.count("<canvas") == 5
