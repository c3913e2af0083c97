"""A run beside earlier ones, and the files that these are read from."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import run_document

from pytest_valgrind.report_files import earlier_report, html_file, json_file
from pytest_valgrind.report_files.earlier_report import TREND, EarlierReport
from pytest_valgrind.report_files.embedded_data import extract
from pytest_valgrind.report_files.headline import headline
from pytest_valgrind.report_files.trend import trend

FIRST, SECOND, THIRD = (f"2026-11-{day}T10:00:00+00:00" for day in (25, 26, 27))
Document = dict[str, Any]


def run(started: str, *named: str, tests: tuple[str, ...] = ("a", "b")) -> Document:
    """Return the document of a run.

    :param named: fingerprints of its findings, ``test:name``.
    """
    document = run_document(0, 0, started=started)
    document["tests"] = [{"nodeid": name, "outcome": "passed", "seconds": 0.1} for name in tests]
    document["totals"] |= {"tests": len(tests), "checked": len(tests)}
    document["totals"]["findings"] = {"failed": len(named)} if named else {}
    document["findings"] = [
        {
            "id": name,
            "fingerprint": name,
            "defect": name.partition(":")[2],
            "status": "failed",
            "place": "test",
            "check": "valgrind",
            "category": "leak",
            "kind": "definitely lost",
            "title": f"lost {name}",
            "tests": [name.partition(":")[0]],
        }
        for name in named
    ]
    return document


def read(document: Document, directory: Path, *earlier: EarlierReport) -> EarlierReport:
    """Write a page and read it again."""
    path = directory / "report.html"
    html_file.write(document, path, earlier)
    return earlier_report.read(path)


def names(findings: list[Document]) -> list[str]:
    return [finding["fingerprint"] for finding in findings]


@pytest.fixture
def before(tmp_path: Path) -> EarlierReport:
    return read(run(FIRST, "a:leak", "b:leak"), tmp_path)


def test_new_findings(before: EarlierReport) -> None:
    assert trend(run(SECOND, "a:leak", "b:other"), [before])["new"] == ["b:other"]


def test_findings_that_are_gone(before: EarlierReport) -> None:
    assert names(trend(run(SECOND, "a:leak"), [before])["gone"]) == ["b:leak"]


def test_a_finding_of_a_test_that_did_not_run_is_not_gone(before: EarlierReport) -> None:
    made = trend(run(SECOND, "a:leak", tests=("a",)), [before])
    assert made["gone"] == []
    assert names(made["not_looked_for"]) == ["b:leak"]


def test_a_finding_of_a_check_that_was_not_made_is_not_gone(before: EarlierReport) -> None:
    this = run(SECOND)
    this["run"] |= {"engines": ["heapcheck"], "checks": ["heapcheck"]}
    assert names(trend(this, [before])["not_looked_for"]) == ["a:leak", "b:leak"]


def test_a_first_run_is_compared_with_none() -> None:
    made = trend(run(FIRST, "a:leak"), [])
    assert "compared" not in made
    assert len(made["runs"]) == 1


def test_the_latest_is_what_is_compared(before: EarlierReport, tmp_path: Path) -> None:
    later = read(run(SECOND, "b:other"), tmp_path)
    made = trend(run(THIRD, "a:leak"), [later, before])
    assert made["compared"] == SECOND
    assert names(made["gone"]) == ["b:other"]


def test_a_page_knows_the_runs_before_it(before: EarlierReport, tmp_path: Path) -> None:
    second = read(run(SECOND, "a:leak"), tmp_path, before)
    made = trend(run(THIRD), [second])
    assert [one["started"] for one in made["runs"]] == [FIRST, SECOND, THIRD]
    assert [one["findings"] for one in made["runs"]] == [2, 1, 0]


def test_a_page_knows_since_when_a_finding_is_there(before: EarlierReport, tmp_path: Path) -> None:
    second = read(run(SECOND, "a:leak", "b:other"), tmp_path, before)
    since = trend(run(THIRD, "a:leak", "b:other", "b:third"), [second])["since"]
    assert since == {"a:leak": FIRST, "b:other": SECOND, "b:third": THIRD}


def test_a_run_is_counted_once(before: EarlierReport, tmp_path: Path) -> None:
    second = read(run(SECOND), tmp_path, before)
    assert len(trend(run(THIRD), [before, second, second])["runs"]) == 3


def test_a_page_that_this_run_has_written_before_is_no_run_more(before: EarlierReport) -> None:
    assert len(trend(run(FIRST, "a:leak"), [before])["runs"]) == 1


def test_the_number_of_runs_is_limited(before: EarlierReport) -> None:
    runs = [before.runs[0]._replace(started=f"2026-01-01T10:{n:04}") for n in range(500)]
    made = trend(run(SECOND), [before._replace(runs=runs)])
    assert len(made["runs"]) == 100
    assert made["runs"][-1]["started"] == SECOND


def test_a_report_in_json_is_an_earlier_one_as_well(tmp_path: Path) -> None:
    json_file.write(run(FIRST, "a:leak"), tmp_path / "report.json")
    earlier = earlier_report.read(tmp_path / "report.json")
    assert trend(run(SECOND, "a:leak"), [earlier])["since"] == {"a:leak": FIRST}


def test_the_peak_of_memory(tmp_path: Path) -> None:
    (summary,) = read(run_document(20, 0), tmp_path).runs
    tests = run_document(20, 0)["tests"]
    assert summary.rss == max(test["memory"]["rss_peak"] for test in tests)
    assert summary.heap == max(test["memory"]["heap_end"] for test in tests)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html></html>",
        "{}",
        "[1]",
        '{"format": "another", "version": 1}',
        '{"format": "pytest-valgrind-report", "version": 1, "findings": []}',
        '<script type="application/gzip" id="run-document">AAAA</script>',
    ],
    ids=["empty", "page", "json", "list", "format", "incomplete", "damaged"],
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match=r"^: .*/file is no report of pytest-valgrind: give"):
        earlier_report.read(tmp_path / "file")


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no report of pytest-valgrind"):
        earlier_report.read(tmp_path / "file")


def test_a_report_of_a_later_version_is_refused(tmp_path: Path) -> None:
    later = {**run(FIRST), "version": 2}
    (tmp_path / "file").write_text(json.dumps(later))
    with pytest.raises(ValueError, match="is no report of pytest-valgrind"):
        earlier_report.read(tmp_path / "file")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        earlier_report.read(tmp_path / "none")


def test_the_page_of_a_trend_has_it(before: EarlierReport) -> None:
    this = run(SECOND, "a:leak")
    assert extract(html_file.page(this, [before]), TREND) == trend(this, [before])


def headline_of(**changes: Any) -> str:
    document = copy.deepcopy(run(FIRST))
    for name, values in changes.items():
        document[name] = {**document[name], **values} if isinstance(values, dict) else values
    return headline(document).words


def test_headline_of_findings() -> None:
    assert headline(run(FIRST, "a:leak", "a:other")).words == "2 findings fail 1 test"


def test_headline_of_a_finding_of_no_test_alone() -> None:
    document = run(FIRST, "a:leak")
    document["findings"][0]["place"] = "one of several tests"
    assert headline(document).words == "1 finding fails the run"


def test_headline_of_a_run_without_findings() -> None:
    assert headline_of() == "Nothing was found"


def test_headline_of_known_findings() -> None:
    document = run(FIRST, "a:leak")
    document["findings"][0]["status"] = "known"
    assert headline(document).words == "No finding fails this run"


def test_headline_of_a_run_without_an_engine() -> None:
    nothing: dict[str, list[str]] = {"engines": [], "checks": []}
    assert headline_of(run=nothing, totals={"checked": 0}) == "Nothing was checked"


def test_headline_of_an_engine_that_checked_no_test() -> None:
    assert headline_of(totals={"checked": 0}) == "Nothing was checked"


def test_headline_of_a_hunt() -> None:
    hunt = {"engines": [], "checks": ["hunt"]}
    assert headline_of(run=hunt, totals={"checked": 0}) == "Nothing was found"


def test_headline_where_some_was_not_checked() -> None:
    assert headline_of(unchecked=["a"]) == "Not everything was checked"
