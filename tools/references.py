"""Prints which lost references are found, and what is not: tests/references on every interpreter.

    python tools/references.py [--work DIR] [INTERPRETER ...]

Each interpreter runs the suite with checks of groups. Prints a Markdown table: a row for each kind
of object. The exit code is 1 if any was missed or not named, or if a test was blamed that lost
nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from environments import (
    ALL_INTERPRETERS,
    REPOSITORY,
    BuildError,
    Environment,
    Run,
    available,
    build_plugin,
    is_debug,
    label,
    make_environment,
    markdown,
    run_or_raise,
    run_suite,
    say,
)

sys.path.insert(0, str(REPOSITORY / "tests"))

from reference_rows import CLEAN, LOST

TESTS = REPOSITORY / "tests"
SECONDS = 600


def main() -> int:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-references"))
    parser.add_argument("interpreters", nargs="*", default=ALL_INTERPRETERS)
    arguments = parser.parse_args()
    columns: dict[str, dict[str, str]] = {}
    for interpreter in available(arguments.interpreters):
        name = label(interpreter)
        say(name)
        try:
            columns[name] = _column(arguments.work / name.replace(" ", "-"), interpreter)
        except BuildError as error:
            say(str(error))
    kinds = [*LOST, _KEPT]
    rows = [
        [kind.replace("_", " "), *(column[kind] for column in columns.values())] for kind in kinds
    ]
    print(markdown(["reference lost to", *columns], rows))
    cells = [cell for column in columns.values() for cell in column.values()]
    return int(any(cell.startswith("NO") for cell in cells))


_KEPT = "objects that are kept, and tests that lose nothing: none blamed of"


def _column(directory: Path, interpreter: str) -> dict[str, str]:
    environment = make_environment(directory, interpreter)
    environment.install_plugin(build_plugin(environment, directory))
    if not is_debug(interpreter):  # which would have to compile it
        environment.install("numpy<2.4")
    suite = directory / "references"
    shutil.copytree(TESTS / "references", suite, dirs_exist_ok=True)
    (suite / "pytest.ini").write_text("[pytest]\n")
    _build_extension(environment, suite)
    return _judge(run_suite(environment, suite, seconds=SECONDS))


def _build_extension(environment: Environment, suite: Path) -> None:
    code = "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX'), s.get_path('include'))"
    suffix, include = run_or_raise([str(environment.python), "-c", code]).split()
    command = ["cc", "-O1", "-g", "-w", "-shared", "-fPIC", "-pthread", f"-I{include}"]
    source = TESTS / "native" / "defective.c"
    subprocess.run([*command, str(source), "-o", str(suite / f"defective{suffix}")], check=True)


def _judge(run: Run) -> dict[str, str]:
    texts = {test.function.removeprefix("test_"): test.text for test in run.tests or []}
    cells = {kind: _cell(texts.get(kind, ""), words) for kind, words in LOST.items()}
    kept = [name for name in texts if name.startswith("keep_") or name in CLEAN]
    blamed = [name for name in kept if texts[name]]
    cells[_KEPT] = f"NO: {', '.join(blamed)}" if blamed or not kept else f"{len(kept)}"
    return cells


def _cell(text: str, words: str) -> str:
    if "[VALGRIND LEAK]" not in text:
        return "NO"
    return "yes" if re.search(f"^  {words}", text, re.MULTILINE) else "NO: not named"


if __name__ == "__main__":
    sys.exit(main())
