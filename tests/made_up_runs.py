"""Documents of runs that nobody ran: any number of tests and findings, with hostile names."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.report_files.finding_record import FindingRecords
from pytest_valgrind.report_files.source_tree import SourceTree

ROOT = Path(__file__).parent.parent
#: What a test may be called, and what would be run if a page took it for markup.
HOSTILE = "</script><script>alert('out')</script><img src=//example.org onerror=alert(1)>&amp;"
STATUSES = ("failed", "known", "baseline", "listed")
_KINDS = (Kind.DEFINITE, Kind.INVALID_READ, Kind.UNINITIALISED, Kind.INVALID_WRITE)
_SOURCES = sorted((ROOT / "csrc").glob("*.c"))

Document = dict[str, Any]


def run_document(
    tests: int, findings: int, *, started: str = "2026-11-27T10:00:00+00:00", seed: int = 1
) -> Document:
    """Return a document as report-1.schema.json has it.

    :param findings: of which a third are defects of their own, and the rest the same in more tests.
    """
    chance = random.Random(seed)
    made_tests = _tests(tests, chance)
    tree = SourceTree(ROOT)
    records = FindingRecords(tree, {})
    for _ in range(findings):
        status = chance.choice(STATUSES)
        is_of_test = status != "listed" and made_tests
        records.add(
            _finding(chance.randrange(max(findings // 3, 1)), chance),
            status=status,
            place="test" if is_of_test else "interpreter",
            tests=[chance.choice(made_tests)["nodeid"]] if is_of_test else [],
            check="valgrind",
            header="[VALGRIND ERROR]",
            reason=f"issue 1 {HOSTILE}" if status == "known" else "",
        )
    found = records.records
    return {
        "format": "pytest-valgrind-report",
        "version": 1,
        "tool": {"name": "pytest-valgrind", "version": "1.0"},
        "run": {
            "started": started,
            "seconds": 12.5,
            "command": f"pytest --valgrind -k '{HOSTILE}'",
            "rootdir": str(ROOT),
            "repository": str(ROOT),
            "engines": ["valgrind"],
            "checks": ["valgrind"],
            "python": "3.11.7",
            "pytest": "9.2.0",
            "platform": "linux-x86_64",
            "exit_status": 1 if found else 0,
        },
        "totals": {
            "tests": tests,
            "outcomes": {"passed": tests} if tests else {},
            "checked": tests,
            "findings": dict(Counter(finding["status"] for finding in found)),
        },
        "summary": [finding["title"] for finding in found],
        "hints": [f"a hint {HOSTILE}"],
        "unchecked": [],
        "not_collected": [],
        "tests": made_tests,
        "findings": found,
        "sources": tree.lines,
    }


def _tests(number: int, chance: random.Random) -> list[Document]:
    tests = []
    heap = 25_000_000
    for index in range(number):
        before, heap = heap, heap + chance.randrange(-4000, 9000)
        memory = {"rss_start": 2 * before, "rss_end": 2 * heap, "rss_peak": 2 * heap + 5000}
        file = f"tests/test_{index % 40}.py"
        tests.append(
            {
                "nodeid": f"{file}::test_{index}[{HOSTILE}]",
                "outcome": "passed",
                "seconds": round(chance.random(), 6),
                "file": file,
                "line": index + 1,
                "memory": {**memory, "heap_start": before, "heap_end": heap},
            }
        )
    return tests


def _finding(defect: int, chance: random.Random) -> Finding:
    """Return a finding with the stack of a defect, and addresses of its own in the log."""
    of_defect = random.Random(defect)
    stack = [
        Frame(
            0,
            f"part_{defect}_of_{of_defect.randrange(200)}<T>",
            source.name,
            of_defect.randrange(5, 120),
            "/lib/mod.so",
            Owner.EXTENSION,
            str(source),
        )
        for source in of_defect.choices(_SOURCES, k=3)
    ]
    stack += [
        Frame(0, f"_PyEval_{of_defect.randrange(900)}", "ceval.c", 7000, owner=Owner.INTERPRETER)
        for _ in range(of_defect.randrange(4, 14))
    ]
    kind = _KINDS[defect % len(_KINDS)]
    log = [f"==7==    at 0x{chance.getrandbits(40):X}: {frame}" for frame in stack]
    return Finding(
        kind,
        "Lost" if kind.is_leak else "Invalid read of size 8",
        tuple(stack),
        raw="\n".join(log),
        phase="call",
        objects=(f"<object {HOSTILE}>",) if kind.is_leak else (),
        types=Counter({"dict": 2, "<b>Token": 1}) if kind.is_leak else Counter(),
        bytes=8 * defect + 8 if kind.is_leak else 0,
        blocks=1 if kind.is_leak else 0,
    )
