"""What stands in the files of a run: natively, with workers, after a crash, and of a hunt."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, INI, SUITES, build_extension
from report_schemas import errors_in_report, errors_in_sarif
from suite import Run, Suite

FILE = "test_reported.py"
#: What is written in each run.
FILES = ("--memory-json=report.json", "--memory-sarif=report.sarif")
SAME = [f"{FILE}::test_same_leak[{name}]" for name in ("plain", "<b>&amp;</b>")]


class Reported:
    """A run, and the files that it has written."""

    def __init__(self, suite: Suite, run: Run) -> None:
        self.run = run
        self.json = _read(suite, "report.json")
        self.sarif = _read(suite, "report.sarif")

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the findings of a test."""
        return [one for one in self.json["findings"] if one["tests"] == [f"{FILE}::{name}"]]


def _read(suite: Suite, name: str) -> Any:
    return json.loads((suite.directory / name).read_text(encoding="utf-8"))


def reported_suite(directory: Path) -> Suite:
    """Return the suite with an extension of its own, whose source is part of the project."""
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.copy(SUITES / "reported")
    (directory / "src").mkdir()
    source = shutil.copy(HERE / "extensions" / "defective.c", directory / "src")
    build_extension(Path(source), directory, "-g")
    return made


@pytest.fixture(scope="module")
def natively(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    suite = reported_suite(tmp_path_factory.mktemp("natively"))
    run = suite.run(
        "--heapcheck",
        "--heapcheck-stacks-seconds=600",
        "--resources=fds",
        "--memory-annotations=github",
        *FILES,
    )
    return Reported(suite, run)


@pytest.fixture(scope="module")
def by_workers(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    suite = reported_suite(tmp_path_factory.mktemp("workers"))
    return Reported(suite, suite.run("--heapcheck", "--resources=fds", "-n2", *FILES))


@pytest.fixture(scope="module")
def after_a_crash(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    suite = reported_suite(tmp_path_factory.mktemp("crash"))
    suite.write(
        "test_a_crash.py",
        "import defective\n\ndef test_before():\n    defective.leak(10)\n\n"
        "def test_crash():\n    defective.crash()\n",
    )
    return Reported(suite, suite.run("--heapcheck", "--memory-resume", *FILES))


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    suite = Suite(tmp_path_factory.mktemp("hunt"), Path())
    suite.write("pytest.ini", INI)
    suite.write(
        "test_hunted.py",
        "kept = []\n\ndef test_grows():\n    kept.append([object()])\n\ndef test_clean():\n"
        "    assert []  == []\n",
    )
    return Reported(suite, suite.run("-R", "4:4", *FILES))


@pytest.fixture(params=["natively", "by_workers", "after_a_crash", "hunted"])
def reported(request: pytest.FixtureRequest) -> Reported:
    made: Reported = request.getfixturevalue(request.param)
    return made


def test_json_is_as_its_schema_says(reported: Reported) -> None:
    assert errors_in_report(reported.json) == []


def test_sarif_is_valid(reported: Reported) -> None:
    assert errors_in_sarif(reported.sarif) == []


def test_each_finding_is_in_both_files(reported: Reported) -> None:
    (run,) = reported.sarif["runs"]
    assert len(run["results"]) == len(reported.json["findings"]) > 0


def test_the_summary_says_where_the_files_are(reported: Reported) -> None:
    for option, name in (("json", "report.json"), ("sarif", "report.sarif")):
        assert any(
            line.startswith(f"--memory-{option}: ") and line.endswith(f"{name} written")
            for line in reported.run.output.splitlines()
        )


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("test_same_leak[plain]", "failed"),
        ("test_marked", "xfailed"),
        ("test_left_open", "passed"),
        ("test_too_much", "failed"),
        ("test_fails", "failed"),
        ("test_expected_failure", "xfailed"),
        ("test_skipped", "skipped"),
        ("test_clean", "passed"),
    ],
)
@pytest.mark.parametrize("fixture", ["natively", "by_workers"])
def test_outcome(fixture: str, name: str, outcome: str, request: pytest.FixtureRequest) -> None:
    report: Reported = request.getfixturevalue(fixture)
    tests = {test["nodeid"]: test["outcome"] for test in report.json["tests"]}
    assert tests[f"{FILE}::{name}"] == outcome


@pytest.mark.parametrize("fixture", ["natively", "by_workers"])
def test_a_leak_is_at_its_line_of_c(fixture: str, request: pytest.FixtureRequest) -> None:
    (found,) = request.getfixturevalue(fixture).of("test_same_leak[plain]")
    assert found["location"]["file"] == "src/defective.c"
    assert found["location"]["function"] == "leak"
    assert (found["status"], found["category"], found["bytes"]) == ("failed", "leak", 51)


def test_source_lines_around_a_frame_are_there(natively: Reported) -> None:
    (found,) = natively.of("test_same_leak[plain]")
    frame = next(frame for frame in found["stack"] if frame["function"] == "leak")
    assert "malloc" in natively.json["sources"][frame["file"]][str(frame["line"])]


def test_one_defect_in_several_tests(natively: Reported) -> None:
    found = [natively.of(name.partition("::")[2])[0] for name in SAME]
    assert len({one["defect"] for one in found}) == 1
    assert len({one["fingerprint"] for one in found}) == 2


def test_a_lost_object_has_its_type(natively: Reported) -> None:
    (found,) = natively.of("test_instance")
    assert found["types"] == {"test_reported.Node": 1}
    assert found["objects"][0].startswith("test_reported.Node: ")


def test_a_leak_that_is_marked_is_known(natively: Reported) -> None:
    (found,) = natively.of("test_marked")
    assert (found["status"], found["reason"]) == ("known", "issue 7")


def test_a_fixture_has_its_phase(natively: Reported) -> None:
    (found,) = natively.of("test_fixture")
    assert (found["place"], found["bytes"]) == ("fixture", 53)
    assert found["fixture"] == "the setup of fixture losing (module scope)"


def test_damage_is_an_error(natively: Reported) -> None:
    (found,) = natively.of("test_written_after_free")
    assert (found["category"], found["kind"]) == ("error", "write after free")


def test_a_resource_that_is_warned_of_is_listed(natively: Reported) -> None:
    (found,) = natively.of("test_left_open")
    assert (found["status"], found["check"]) == ("listed", "resources")
    assert found["location"]["file"] == FILE


def test_a_limit_has_its_message(natively: Reported) -> None:
    (found,) = natively.of("test_too_much")
    assert (found["check"], found["category"]) == ("limits", "limit")
    assert found["title"].startswith("Test was limited to 1.0MiB but allocated 4.0")


def test_memory_is_measured(natively: Reported) -> None:
    for test in natively.json["tests"]:
        memory = test["memory"]
        assert memory["rss_peak"] >= memory["rss_end"] > memory["heap_end"] > 0


def test_workers_are_named(by_workers: Reported) -> None:
    assert {test["worker"] for test in by_workers.json["tests"]} == {"gw0", "gw1"}


def test_annotations_are_of_defects_and_not_of_tests(natively: Reported) -> None:
    """Three tests lose memory at one line: GitHub shows ten annotations of a step."""
    lines = [one for one in natively.run.output.splitlines() if one.startswith("::error ")]
    at_leak = [line for line in lines if "definitely lost 51 bytes" in line]
    (line,) = at_leak
    assert line.startswith("::error file=src/defective.c,line=")
    assert "in test_reported.py::test_same_leak[plain], " in line and "%0A" in line


def test_no_annotation_is_of_what_is_known(natively: Reported) -> None:
    assert "definitely lost 52 bytes" not in "".join(
        line for line in natively.run.output.splitlines() if line.startswith("::error ")
    )


def test_sarif_has_the_test_and_a_stable_fingerprint(natively: Reported) -> None:
    (found,) = natively.of("test_same_leak[plain]")
    (result,) = [
        result
        for result in natively.sarif["runs"][0]["results"]
        if result["partialFingerprints"]["pytestValgrind/v1"] == found["fingerprint"]
    ]
    assert result["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": SAME[0], "kind": "function"}
    ]
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "src/defective.c", "uriBaseId": "%SRCROOT%"}
    assert physical["region"]["startLine"] == found["location"]["line"]
    assert SAME[0] in result["message"]["text"]


def test_what_is_known_is_suppressed_in_sarif(natively: Reported) -> None:
    results = natively.sarif["runs"][0]["results"]
    suppressed = [one["suppressions"] for one in results if "suppressions" in one]
    assert suppressed == [[{"kind": "external", "justification": "issue 7"}]]


def test_a_crash_is_a_finding(after_a_crash: Reported) -> None:
    found = [
        one
        for one in after_a_crash.json["findings"]
        if one["tests"] == ["test_a_crash.py::test_crash"]
    ]
    assert [(one["kind"], one["status"]) for one in found] == [("fatal signal", "failed")]


def test_all_processes_are_in_one_report(after_a_crash: Reported) -> None:
    """The tests before the crash and those after it."""
    named = {test["nodeid"] for test in after_a_crash.json["tests"]}
    assert {"test_a_crash.py::test_before", "test_a_crash.py::test_crash", SAME[0]} <= named


def test_a_hunt_is_in_the_report(hunted: Reported) -> None:
    (found,) = hunted.json["findings"]
    assert (found["check"], found["kind"]) == ("hunt", "growth by repetition")
    assert found["tests"] == ["test_hunted.py::test_grows"]
    assert "objects" in "".join(found["growth"]) or "blocks" in "".join(found["growth"])


def test_what_cannot_be_collected_is_in_the_report(suite: Suite) -> None:
    suite.write("test_broken.py", "import there_is_none_such\n")
    made = Reported(suite, suite.run(*FILES))
    (broken,) = made.json["not_collected"]
    assert broken["nodeid"] == "test_broken.py" and "there_is_none_such" in broken["message"]
    assert made.json["run"]["exit_status"] == made.run.code == 2


def test_two_files_of_one_name_are_refused(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(): pass\n")
    run = suite.run("--memory-json=report", "--memory-sarif=report")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "cannot be both: give two names." in run.errors


def test_a_file_that_cannot_be_written_is_said(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(): pass\n")
    run = suite.run("--memory-json=/dev/full")
    assert "--memory-json: /dev/full cannot be written: No space left on device" in run.output


def test_on_github_a_run_without_checks_is_as_ever(suite: Suite) -> None:
    """The variable is there for every project that has the plugin installed."""
    suite.write("test_a.py", "def test_a(): pass\n")
    outputs = [suite.run(environment={"GITHUB_ACTIONS": value}).output for value in ("", "true")]
    plain, on_github = (re.sub(r"in \d+\.\d+s|=", "", output) for output in outputs)
    assert plain == on_github
