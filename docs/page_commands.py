"""Runs the commands of a page, as a reader would: one after the other, in one shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What a shell says after each block, with the exit code.
_MARK = "@@@ block ended with "
#: No page's commands take longer, in seconds.
_PATIENCE = 1800


class Block(NamedTuple):
    """A fenced part of a page: commands (``sh``), a change (``diff``), or what was printed ("")."""

    line: int
    language: str
    text: str

    @property
    def script(self) -> str:
        """What a shell has to do."""
        if self.language == "diff":
            return f"patch -p1 <<'END'\n{self.text}END"
        return " &&\n".join(self.text.splitlines())


class Ran(NamedTuple):
    """A block of commands that has run: to its end, or to the first that failed."""

    block: Block
    code: int
    output: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced parts of a page, with the line at which each begins."""
    text = page.read_text()
    return [
        Block(text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
    ]


def run(page: Path, directory: Path, environment: Mapping[str, str]) -> list[Ran]:
    """Run the commands of a page, and make its changes, where a reader would.

    :param directory: in which the reader begins.
    """
    todo = [block for block in blocks(page) if block.language in ("sh", "diff")]
    script = "\n".join(f"{block.script}\ncode=$?; echo; echo '{_MARK}'$code" for block in todo)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_PATIENCE,
        check=False,
    )
    parts = re.split(rf"^{_MARK}(\d+)\n", done.stdout, flags=re.MULTILINE)
    outputs = zip(todo, parts[::2], parts[1::2], strict=False)
    return [Ran(block, int(code), output) for block, output, code in outputs]


def of_this_checkout(directory: Path) -> dict[str, str]:
    """Return an environment in which ``pip install pytest-valgrind`` installs this checkout.

    :param directory: for its wheel.
    """
    # A copy, as builds of one tree that run at the same time would disturb each other.
    copy = directory / "checkout"
    needed = ("pytest_valgrind", "csrc", "pyproject.toml", "setup.py", "README.md", "LICENSE")
    for name in needed:
        target = copy / name
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, target, ignore=shutil.ignore_patterns("*.so", "__pycache__")
            )
        else:
            shutil.copy(ROOT / name, target)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*pip, str(directory), str(copy)], check=True)
    (wheel,) = directory.glob("pytest_valgrind-*.whl")
    version = wheel.name.split("-")[1]
    constraints = directory / "constraints.txt"
    # Not the address of the wheel, which pip 23 does not take for a requirement with an extra.
    constraints.write_text(f"pytest-valgrind=={version}\n")
    # Not those of a virtual environment, nor of the pytest that runs this.
    unwanted = ("VIRTUAL_ENV", "PYTHONPATH", "PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE", "CI")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {
        **kept,
        "PATH": f"{sys.base_prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(constraints),
        "PIP_FIND_LINKS": str(directory),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "COLUMNS": "80",
    }


@cache
def tutorial() -> list[Ran]:
    """Return what the commands of the tutorial print."""
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as directory:
        ran = run(ROOT / "docs" / "tutorial.md", Path(directory), of_this_checkout(Path(made)))
        return [one._replace(output=one.output.replace(directory, "/home/you")) for one in ran]


def excerpt(line: int, start: str, end: str = r"\Z") -> str:
    """Return a part of what the commands of the tutorial that stand last above a line print.

    :param line: of the page, as cog knows it.
    :param start: a pattern of the first line.
    :param end: a pattern of the line behind the last.
    """
    output = next(
        one.output
        for one in reversed(tutorial())
        if one.block.language == "sh" and one.block.line < line
    )
    match = re.search(rf"^{start}.*?(?=^{end})", output, re.MULTILINE | re.DOTALL)
    assert match, output
    return f"```\n{match[0].rstrip()}\n```\n"
