"""Real report files and baselines for docs/, and the reference of the JSON report."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pytest_valgrind.report_files.json_file import SCHEMA

_ROOT = Path(__file__).parent.parent
_TEST = """import defective

class Token:
    pass

def test_parse():
    defective.leak_reference(Token())

def test_print():
    defective.leak(1000)

def test_empty():
    pass
"""


def json_finding() -> str:
    """Return a finding as the JSON report has it, with the longest parts left out."""
    finding = dict(_reports()["report.json"]["findings"][1])
    finding["stack"] = finding["stack"][:1]
    return f"```json\n{json.dumps(finding, indent=2)}\n```\n"


def sarif_result() -> str:
    """Return the same as the SARIF report has it."""
    result = dict(_reports()["report.sarif"]["runs"][0]["results"][1])
    del result["stacks"]
    return f"```json\n{json.dumps(result, indent=2)}\n```\n"


def annotation() -> str:
    """Return the annotation of the same."""
    lines = [line for line in _reports()["output"].splitlines() if line.startswith("::error")]
    return f"```\n{lines[1]}\n```\n"


def baseline_session() -> str:
    """Return what the first day of a project with a baseline looks like, and the next."""
    reports = _reports()
    return f"```console\n{reports['first day']}\n\n{reports['next day']}\n```\n"


def baseline_file() -> str:
    """Return the baseline."""
    return f"```json\n{_reports()['base.json'].rstrip()}\n```\n"


def names_of_report() -> str:
    """Return a table of all names of the JSON report."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    lines = ["| name | type | meaning |", "|---|---|---|"]
    lines += _rows(schema, schema["$defs"], "")
    return "".join(f"{line}\n" for line in lines)


def _rows(schema: Any, parts: Any, prefix: str) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        inner = value.get("items", value)
        inner = _resolved(inner, parts)
        words = value.get("description") or inner.get("description", "")
        kind = value.get("type") or inner.get("type", "")
        if choices := inner.get("enum"):
            words += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
            kind = kind or "string"
        if "const" in value:
            kind = f"`{json.dumps(value['const'])}`"
        full = f"{prefix}{name}" + ("[]" if kind == "array" else "")
        yield f"| `{full}` | {kind} | {words} |"
        if inner.get("items"):  # a stack: an array by reference
            inner = _resolved(inner["items"], parts)
        # Frames stand in several places, and are described once.
        is_repeated = name == "python" or (name == "stack" and "further" in prefix)
        if inner.get("properties") and not is_repeated:
            yield from _rows(inner, parts, f"{full}.")


def _resolved(schema: Any, parts: Any) -> Any:
    return parts[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


@cache
def _reports() -> dict[str, Any]:
    """Run a small project, and return what it prints and writes."""
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory).resolve()
        (project / "src").mkdir()
        source = project / "src" / "defective.c"
        source.write_text((_ROOT / "tests" / "extensions" / "defective.c").read_text())
        target = project / f"defective{sysconfig.get_config_var('EXT_SUFFIX')}"
        compiler = ["cc", "-g", "-O1", "-w", "-shared", "-fPIC", "-pthread"]
        include = f"-I{sysconfig.get_path('include')}"
        subprocess.run([*compiler, include, str(source), "-o", str(target)], check=True)
        test = project / "test_project.py"
        test.write_text(_TEST)
        files = ("--memory-json=report.json", "--memory-sarif=report.sarif")
        found: dict[str, Any] = {
            "output": _run(project, "--heapcheck", "--memory-annotations=github", *files)
        }
        for name in ("report.json", "report.sarif"):
            text = (project / name).read_text().replace(str(project), "/project")
            found[name] = json.loads(text)
        adopt = ("--heapcheck", "--memory-baseline=baseline.json")
        found["first day"] = _session(project, *adopt, "--memory-baseline-update")
        found["base.json"] = (project / "baseline.json").read_text()
        test.write_text(
            _TEST.replace("leak(1000)", "keep()").replace("pass\n\ndef", "pass\n\n\ndef")
        )
        with test.open("a") as file:
            file.write("\ndef test_new():\n    defective.leak(2000)\n")
        found["next day"] = _session(project, *adopt)
    return found


def _session(project: Path, *options: str) -> str:
    """Return a command and its summary."""
    _, _, summary = _run(project, *options).partition("= heapcheck =")
    lines = filter(None, summary.splitlines()[1:])
    return "\n".join([f"$ pytest {' '.join(options)}", "...", *lines])


def _run(project: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return done.stdout.replace(str(project), "/project")
