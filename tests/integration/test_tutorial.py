"""The commands of docs/tutorial.md, run as a reader would: what the page shows is what they print.

They download a package from PyPI and compile it three times.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from page_commands import ROOT, Block, Ran, blocks, of_this_checkout, run

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "tutorial.md"
BLOCKS = blocks(PAGE)
DONE = [block for block in BLOCKS if block.language in ("sh", "diff")]
SHOWN = [block for block in BLOCKS if not block.language]
#: What differs from run to run, or from one Python to another.
VARIES = {
    r"/\S+/(?=ujson-5)": "/",
    r"\b[\d,]+ (bytes|blocks?)\b( (is|are)\b)?": "N",
    r"\d+\.\d+ ?s\b": "N s",
    r"={2,}|_{2,}": "=",
}


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ran]:
    """Run them all; by the line at which a block begins, what came of it."""
    directory = tmp_path_factory.mktemp("reachable")
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(directory)]
    if subprocess.run([*asked, "iniconfig"], check=False).returncode:
        pytest.skip("PyPI cannot be reached")
    environment = of_this_checkout(tmp_path_factory.mktemp("wheel"))
    ran = run(PAGE, tmp_path_factory.mktemp("reader"), environment)
    return {one.block.line: one for one in ran}


def shape(text: str) -> list[str]:
    """Return the lines of an output, without what varies.

    The interpreter's frames, which have no mark, are named in one build of it and not in another.
    """
    for pattern, same in VARIES.items():
        text = re.sub(pattern, same, text)
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if line and not re.match(r" {4}\S", line)]


def where(block: Block) -> str:
    """Return the name of a test's parameter."""
    return f"line-{block.line}"


@pytest.mark.parametrize("block", DONE, ids=where)
def test_commands_end_as_the_page_says(tutorial: dict[int, Ran], block: Block) -> None:
    """Each works; pytest fails where tests do."""
    ran = tutorial[block.line]
    assert ran.code == bool(re.search(r"^=+ \d+ failed", ran.output, re.MULTILINE)), ran.output


@pytest.mark.parametrize("block", SHOWN, ids=where)
def test_output_is_what_was_printed(tutorial: dict[int, Ran], block: Block) -> None:
    """Each line of it stands in what the commands above have printed, in the same order."""
    line = max(before.line for before in DONE if before.line < block.line)
    printed = iter(shape(tutorial[line].output))
    missing = [shown for shown in shape(block.text) if shown not in printed]
    assert missing == [], tutorial[line].output


def test_numbers_of_the_page(tutorial: dict[int, Ran]) -> None:
    """The tests pass natively, six of them lose memory, and none does in the end."""
    outcomes = [
        re.findall(r"^=+ (.*) in ", ran.output, re.MULTILINE)[-1]
        for ran in tutorial.values()
        if "pytest" in ran.block.text and "passed" in ran.output
    ]
    assert outcomes == [
        "292 passed",
        "6 failed, 286 passed",
        "10 passed, 282 deselected",
        "292 passed",
    ]
