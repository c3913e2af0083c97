"""The report as SARIF 2.1.0, by which code hosts show findings at the lines of a change.

The sections meant are those of the standard (OASIS, SARIF version 2.1.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_HOME = "https://github.com/seberg/pytest-valgrind"
#: By this name a host knows a finding again (3.27.17); another version would be another finding.
_FINGERPRINT = "pytestValgrind/v1"
#: Relative paths begin at the top of the repository (3.14.14).
_BASE = "%SRCROOT%"

_Json = dict[str, Any]


def write(document: _Json, path: Path) -> None:
    """Write the document of a run.

    :raises OSError: if the file cannot be written.
    """
    path.write_text(f"{json.dumps(sarif(document), indent=1)}\n", encoding="utf-8")


def sarif(document: Mapping[str, Any]) -> _Json:
    """Return the document of a run as SARIF has it."""
    run, findings = document["run"], document["findings"]
    rules = list(dict.fromkeys(finding["kind"] for finding in findings))
    top = Path(run["repository"])
    results = [_result(finding, rules.index(finding["kind"]), top) for finding in findings]
    start = datetime.fromisoformat(run["started"])
    end = start + timedelta(seconds=run["seconds"])
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": document["tool"]["name"],
                        "version": document["tool"]["version"],
                        "informationUri": _HOME,
                        "rules": [_rule(kind) for kind in rules],
                    }
                },
                # A host takes what another run of the same name found before for what is fixed.
                "automationDetails": {"id": f"pytest-valgrind/{'+'.join(run['engines'])}/"},
                "invocations": [
                    {
                        "commandLine": run["command"],
                        "startTimeUtc": _utc(start),
                        "endTimeUtc": _utc(end),
                        "exitCode": run["exit_status"],
                        # Tests that fail are what it is there to find.
                        "executionSuccessful": run["exit_status"] in (0, 1, 5),
                    }
                ],
                "originalUriBaseIds": {_BASE: {"uri": f"{top.as_uri()}/"}},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }


def _rule(kind: str) -> _Json:
    return {
        "id": _rule_id(kind),
        "name": "".join(word.capitalize() for word in kind.split()),
        "shortDescription": {"text": kind[:1].upper() + kind[1:]},
        "helpUri": f"{_HOME}/blob/main/docs/which-check.md",
        "defaultConfiguration": {"level": "error"},
    }


def _rule_id(kind: str) -> str:
    return kind.replace(" ", "-")


def _result(finding: _Json, rule: int, top: Path) -> _Json:
    where = ", ".join(finding["tests"])
    place = finding["place"] if finding["place"] != "test" else ""
    words = [finding["title"], " ".join(filter(None, [place and f"({place})", where]))]
    result: _Json = {
        "ruleId": _rule_id(finding["kind"]),
        "ruleIndex": rule,
        "level": "error" if finding["status"] == "failed" else "note",
        "message": {"text": "\n".join(filter(None, [*words, *finding.get("objects", ())]))},
        "locations": [_location(finding)],
        "partialFingerprints": {_FINGERPRINT: finding["fingerprint"]},
        "properties": {
            name: finding[name]
            for name in ("check", "status", "bytes", "blocks", "types")
            if name in finding
        },
    }
    if stacks := list(_stacks(finding, top)):
        result["stacks"] = stacks
    if finding["status"] in ("known", "baseline"):
        reason = finding.get("reason") or f"{finding['status']} when the tests ran"
        result["suppressions"] = [{"kind": "external", "justification": reason}]
    return result


def _location(finding: _Json) -> _Json:
    logical = [
        {"fullyQualifiedName": nodeid, "kind": "function"} for nodeid in finding["tests"][:1]
    ]
    location: _Json = {"logicalLocations": logical} if logical else {}
    # A host shows nothing that has no file: that of the test is the nearest.
    of_test = finding["tests"][0].partition("::")[0] if finding["tests"] else ""
    at = finding.get("location") or ({"file": of_test} if of_test.endswith(".py") else {})
    if at:
        location["physicalLocation"] = _physical(at["file"], at.get("line", 1))
    return location


def _physical(file: str, line: int) -> _Json:
    return {
        "artifactLocation": {"uri": quote(file), "uriBaseId": _BASE},
        "region": {"startLine": max(line, 1)},
    }


def _stacks(finding: _Json, top: Path) -> Iterator[_Json]:
    if finding.get("stack"):
        caption = "allocated" if finding["category"] == "leak" else finding["kind"]
        yield {"message": {"text": caption}, "frames": _frames(finding["stack"], top)}
    for further in finding.get("further", ()):
        if further["stack"]:
            caption = further["caption"]
            yield {"message": {"text": caption}, "frames": _frames(further["stack"], top)}
    if lines := finding.get("python"):
        yield {"message": {"text": "in Python"}, "frames": _frames(lines, top)}


def _frames(stack: Sequence[_Json], top: Path) -> list[_Json]:
    return [_frame(frame, top) for frame in stack]


def _frame(frame: _Json, top: Path) -> _Json:
    location: _Json = {
        "logicalLocations": [{"fullyQualifiedName": frame["function"], "kind": "function"}]
    }
    if (file := frame.get("file")) and frame.get("line"):
        path = Path(file)
        if path.is_relative_to(top):
            location["physicalLocation"] = _physical(
                path.relative_to(top).as_posix(), frame["line"]
            )
        else:
            uri = path.as_uri() if path.is_absolute() else quote(file)
            location["physicalLocation"] = {
                "artifactLocation": {"uri": uri},
                "region": {"startLine": frame["line"]},
            }
    made: _Json = {"location": location}
    if module := frame.get("object"):
        made["module"] = module
    return made


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
