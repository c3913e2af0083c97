"""Prints which lost references are found: tests/suites/references on every interpreter.

    python evaluation/references.py [--work DIR] [--releases [RELEASE ...]] [INTERPRETER ...]

Each interpreter runs the suite with checks of groups: those that are named, and those of Debian's
releases in root folders like the ones of distributions.py (by debootstrap, as root). Prints a
Markdown table: a row for each kind of object. The exit code is 1 if any was missed or not named, or
if a test was blamed that lost nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from chroots import PYTHONS, ROOTS, Root, install_in, interpreters_in, label_in
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

_EXTENSION = TESTS / "extensions" / "defective.c"
_COMPILE = ("cc", "-O1", "-g", "-w", "-shared", "-fPIC", "-pthread")
_ABOUT_BUILD = "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX'), s.get_path('include'))"


def main() -> int:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-references"))
    parser.add_argument("--roots", type=Path, default=ROOTS, help="where the releases are")
    parser.add_argument("--releases", nargs="*", default=("sid",), choices=PYTHONS)
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
    for release in arguments.releases:
        try:
            columns |= _columns_of_release(Root(arguments.roots.resolve() / release), release)
        except BuildError as error:
            say(str(error))
    kinds = [*LOST, _KEPT]
    rows = [
        [kind.replace("_", " "), *(column[kind] for column in columns.values())] for kind in kinds
    ]
    print(markdown(["reference lost to", *columns], rows))
    cells = [cell for column in columns.values() for cell in column.values()]
    return int(any(cell.startswith("NO") for cell in cells))


def build_extension(environment: Environment, suite: Path) -> None:
    """Compile the extension whose functions are defective into a directory.

    :raises BuildError: if that fails.
    """
    suffix, include = run_or_raise([str(environment.python), "-c", _ABOUT_BUILD]).split()
    command = [*_COMPILE, f"-I{include}", str(_EXTENSION)]
    run_or_raise([*command, "-o", str(suite / f"defective{suffix}")])


_KEPT = "objects that are kept, and tests that lose nothing: none blamed of"


def _column(directory: Path, interpreter: str) -> dict[str, str]:
    environment = make_environment(directory, interpreter)
    environment.install_plugin(build_plugin(environment, directory))
    if not is_debug(interpreter):  # which would have to compile it
        environment.install("numpy<2.4")
    suite = directory / "references"
    _copy_suite(suite)
    build_extension(environment, suite)
    return _judge(run_suite(environment, suite, seconds=SECONDS))


def _columns_of_release(root: Root, release: str) -> dict[str, dict[str, str]]:
    root.make(release)
    with root.open():
        return dict(_column_in(root, interpreter) for interpreter in interpreters_in(release))


def _column_in(root: Root, interpreter: str) -> tuple[str, dict[str, str]]:
    version, *build = label_in(root, interpreter).split()
    name = " ".join([version, "(Debian)", *build])
    say(name)
    place = f"/srv/references/{interpreter}"
    install_in(root, interpreter, place)
    if not interpreter.endswith("-dbg"):
        root.ask(f"{place}/environment/bin/pip", "install", "-q", "numpy<2.4")
    suite = f"{place}/references"
    _copy_suite(root.outside(suite))
    suffix, include = root.ask(interpreter, "-c", _ABOUT_BUILD).split()
    shutil.copy(_EXTENSION, root.outside(suite))
    source, built = f"{suite}/{_EXTENSION.name}", f"{suite}/defective{suffix}"
    root.ask(*_COMPILE, f"-I{include}", source, "-o", built)
    words = ["--valgrind", "--valgrind-failures=report"]
    return name, _judge(root.run_pytest(place, suite, words))


def _copy_suite(to: Path) -> None:
    shutil.copytree(TESTS / "suites" / "references", to, dirs_exist_ok=True)
    (to / "pytest.ini").write_text("[pytest]\n")


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
