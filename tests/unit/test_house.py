"""The order of the project itself: which way imports run, how long files are, which words stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_valgrind"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "_client.py")
#: A module of the package, and what is imported from it.
IMPORT = r"^ *(?:from|import) (pytest_valgrind[\w.]*)(?: import (\([^)]*\)|.*))?$"
#: The longest that a file may be, in lines, by its folder.
LONGEST = {"pytest_valgrind": 350, "csrc": 350, "tests": 350, "evaluation": 450}
#: Programs with defects on purpose, and suites of tests: the more, the better.
UNLIMITED = ("tests/extensions", "tests/suites")
TEXTS = (".py", ".pyi", ".c", ".h", ".md")
FOLDERS = ("pytest_valgrind", "csrc", "tests", "evaluation", "benchmarks", "docs", "example")
#: What is not to be written, and why.
FORBIDDEN = {
    r"\bof (?:\w+ )?[\w-]+'s(?=[.,;:)]| (?:that|which|is|are|in|and|or)\b)": "no double genitive",
    r"[a-z], say(?:[,.;] | [a-z])": "for example, such as",
    r"\b(?:end|ends|taken) without a word\b": "silently",
    r"\bnative stacks?\b": "C stack: natively means without valgrind",
    r"\b(?:estate|obituary|bury|orders of a command line)\b": "the field's own term",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wing_of(module: str) -> str:
    """Return the wing of a module, or the module itself if it is in none."""
    return module.split(".")[1]


@cache
def order() -> dict[str, int]:
    """Return the height of each wing, as docs/how-it-works.md lists them from the top down."""
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    wings = re.findall(r"^\| \*\*\[?([\w]+)(?:/|\.py)", page, re.MULTILINE)
    return {wing: height for height, wing in enumerate(reversed(wings))}


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports, wherever it does."""
    for module, names in re.findall(IMPORT, path.read_text(), re.MULTILINE):
        # What the package itself has is no module, and the compiled one is below all others.
        wings = re.findall(r"\w+", names) if module == "pytest_valgrind" else [module.split(".")[1]]
        yield from (wing for wing in wings if wing in order())


def test_imports_run_downward() -> None:
    upward = []
    for path in MODULES:
        own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if own == "pytest_valgrind.__init__":
            continue
        wing = wing_of(own)
        assert wing in order(), f"{wing} is not in the list of docs/how-it-works.md"
        upward += [
            f"{own} imports from {other}"
            for other in imported(path)
            if order()[other] > order()[wing]
        ]
    assert upward == []


def test_only_two_modules_import_the_compiled_one() -> None:
    """A mistake in a call of C ends the process: types stand between it and all else."""
    importers = [
        name(path)
        for path in MODULES
        if re.search(r"^\s*(?:from|import) pytest_valgrind\._client", path.read_text(), re.M)
    ]
    assert importers == ["pytest_valgrind/client.py", "pytest_valgrind/heap/engine.py"]


def test_the_init_of_a_wing_does_nothing() -> None:
    """It is imported under valgrind, with each module of the wing."""
    for path in PACKAGE.glob("*/__init__.py"):
        (statement,) = ast.parse(path.read_text()).body
        assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant), path


def test_files_are_short() -> None:
    too_long = [
        f"{name(path)}: {lines}"
        for folder, longest in LONGEST.items()
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".c", ".h") and not name(path).startswith(UNLIMITED)
        if (lines := len(path.read_text().splitlines())) > longest
        if path.stem != "_client"
    ]
    assert too_long == []


@cache
def texts() -> dict[str, str]:
    """Return the text of every file that people read, but of this one."""
    paths = [*ROOT.glob("*.md"), *(path for top in FOLDERS for path in (ROOT / top).rglob("*"))]
    left_out = (Path(__file__).stem, "_client")
    return {
        name(path): path.read_text()
        for path in sorted(paths)
        if path.suffix in TEXTS and path.stem not in left_out
    }


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=FORBIDDEN.values())
def test_words(pattern: str) -> None:
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts().items()
        for match in re.finditer(pattern, text)
    ]
    assert not found, "\n".join([f"better: {FORBIDDEN[pattern]}", *found])
