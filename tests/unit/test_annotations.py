"""Annotations of GitHub: one for each defect, escaped as its runner reads them."""

from __future__ import annotations

from typing import Any

from pytest_valgrind.report_files.annotations import annotation_lines


def finding(defect: str = "a", **more: Any) -> dict[str, Any]:
    base = {
        "defect": defect,
        "status": "failed",
        "kind": "definitely lost",
        "check": "heapcheck",
        "title": "definitely lost 8 bytes",
        "tests": ["t.py::x"],
        "location": {"file": "src/a.c", "line": 7},
    }
    return base | more


def lines(*findings: dict[str, Any]) -> list[str]:
    return list(annotation_lines({"findings": findings}))


def test_a_line_says_file_line_and_test() -> None:
    assert lines(finding()) == [
        "::error file=src/a.c,line=7,title=definitely lost (heapcheck)::definitely lost 8 bytes%0A"
        "in t.py::x"
    ]


def test_what_would_end_a_property_is_escaped() -> None:
    (line,) = lines(finding(location={"file": "a,b:c%.c", "line": 7}))
    assert line.startswith("::error file=a%2Cb%3Ac%25.c,line=7,")


def test_a_message_stays_in_its_line() -> None:
    (line,) = lines(finding(title="one\ntwo\r100%"))
    assert line.endswith("::one%0Atwo%0D100%25%0Ain t.py::x")


def test_tests_of_one_defect_are_in_one_line() -> None:
    (line,) = lines(*(finding(tests=[f"t.py::x{number}"]) for number in range(5)))
    assert line.endswith("in t.py::x0, t.py::x1, t.py::x2 and 2 more")


def test_without_a_place_there_is_none() -> None:
    (line,) = lines(finding(location={}))
    assert line.startswith("::error title=")


def test_what_fails_nothing_is_left_out() -> None:
    assert lines(*(finding(status=status) for status in ("known", "baseline", "listed"))) == []


def test_many_are_counted() -> None:
    made = lines(*(finding(str(number)) for number in range(60)))
    assert len(made) == 51
    assert made[-1] == "::error title=pytest-valgrind::and 10 more, in the log"
