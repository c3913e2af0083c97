"""The report as SARIF: valid, whatever a finding lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_schemas import errors_in_sarif

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Caller, Frame, Further, Owner, PythonLine
from pytest_valgrind.report_files.finding_record import FindingRecords
from pytest_valgrind.report_files.sarif import sarif
from pytest_valgrind.report_files.source_tree import SourceTree

TEST = "tests/test_a.py::test_x"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a repository with a file of C and one of Python."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "node one.c").write_text("int make;\n" * 30)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_x():\n    make()\n")
    return tmp_path


def made(project: Path, *findings: Finding, tests: tuple[str, ...] = (TEST,)) -> dict[str, Any]:
    locations = {TEST: (str(project / "tests" / "test_a.py"), 1)}
    records = FindingRecords(SourceTree(project), locations)
    for finding in findings:
        records.add(finding, status="failed", place="test", tests=tests, check="valgrind")
    run = {
        "started": "2026-11-27T10:00:00+00:00",
        "seconds": 1.5,
        "command": "pytest --valgrind",
        "repository": str(project),
        "engines": ["valgrind"],
        "exit_status": 1,
    }
    tool = {"name": "pytest-valgrind", "version": "1.0"}
    document = sarif({"run": run, "tool": tool, "findings": records.records})
    assert errors_in_sarif(document) == []
    return document


def location(project: Path, finding: Finding, tests: tuple[str, ...] = (TEST,)) -> Any:
    (result,) = made(project, finding, tests=tests)["runs"][0]["results"]
    physical = result["locations"][0].get("physicalLocation")
    if physical is None:
        return None
    return physical["artifactLocation"]["uri"], physical["region"]["startLine"]


def own(path: str, line: int = 7) -> Frame:
    return Frame(1, "make", Path(path).name, line, "/x/mod.so", Owner.EXTENSION, path)


def test_a_finding_is_at_its_line_of_c(project: Path) -> None:
    stack = (Frame(0, "malloc", owner=Owner.VALGRIND), own(str(project / "src" / "node one.c")))
    assert location(project, Finding(Kind.DEFINITE, "", stack)) == ("src/node%20one.c", 7)


def test_a_path_of_a_build_is_found_by_its_end(project: Path) -> None:
    found = Finding(Kind.DEFINITE, "", (own("/tmp/pip-req-build-x1/src/node one.c"),))
    assert location(project, found) == ("src/node%20one.c", 7)


def test_a_path_from_a_folder_below_is_found_by_its_end(project: Path) -> None:
    found = Finding(Kind.DEFINITE, "", (own("../../src/node one.c"),))
    assert location(project, found) == ("src/node%20one.c", 7)


def test_without_c_of_the_project_it_is_at_the_line_of_python(project: Path) -> None:
    line = PythonLine(str(project / "tests" / "test_a.py"), 2, "test_x")
    found = Finding(Kind.DEFINITE, "", (own("/usr/src/other.c"),), caller=Caller(line))
    assert location(project, found) == ("tests/test_a.py", 2)


def test_else_it_is_at_its_test(project: Path) -> None:
    assert location(project, Finding(Kind.DEFINITE, "")) == ("tests/test_a.py", 1)


def test_what_belongs_to_no_test_has_no_line(project: Path) -> None:
    assert location(project, Finding(Kind.DEFINITE, ""), tests=()) is None


def test_code_of_a_virtual_environment_is_not_the_project(project: Path) -> None:
    folder = project / ".venv" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "other.c").write_text("\n" * 9)
    found = Finding(Kind.DEFINITE, "", (own(str(folder / "other.c")),))
    assert location(project, found) == ("tests/test_a.py", 1)


def test_all_stacks_are_there(project: Path) -> None:
    freed = Further("Block was free'd", (own(str(project / "src" / "node one.c"), 9),))
    line = PythonLine("tests/test_a.py", 2, "test_x")
    found = Finding(Kind.INVALID_READ, "", (own("/no.c"),), further=(freed,), python=(line,))
    (result,) = made(project, found)["runs"][0]["results"]
    assert [stack["message"]["text"] for stack in result["stacks"]] == [
        "invalid read",
        "Block was free'd",
        "in Python",
    ]


def test_a_kind_is_a_rule(project: Path) -> None:
    kinds = (Kind.DEFINITE, Kind.INVALID_READ, Kind.DEFINITE)
    run = made(project, *(Finding(kind, "") for kind in kinds))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["definitely-lost", "invalid-read"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 1, 0]


def test_the_fingerprint_does_not_know_lines(project: Path) -> None:
    path = str(project / "src" / "node one.c")
    results = made(
        project,
        Finding(Kind.DEFINITE, "", (own(path, 7),)),
        Finding(Kind.DEFINITE, "", (own(path, 8),)),
    )["runs"][0]["results"]
    assert len({str(result["partialFingerprints"]) for result in results}) == 1


def test_nothing_found_is_valid(project: Path) -> None:
    assert made(project)["runs"][0]["results"] == []
