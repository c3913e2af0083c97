"""The frames that bear numbers, however hard a compiler tries."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import HERE

from pytest_valgrind import client

STACK = re.compile(r"\*\*\d+\*\* number (-?\d+)\n((?:==\d+==    (?:at|by) .*\n)+)", re.MULTILINE)
WITH_DIGITS = re.compile(r"(?s).*pvg_low_(\d\d).*pvg_high_(\d\d).*")


@pytest.mark.parametrize(
    "flags",
    [
        ("-O0",),
        ("-O3",),
        ("-O3", "-flto"),
        ("-O3", "-flto", "-fomit-frame-pointer", "-foptimize-sibling-calls", "-fipa-icf"),
        pytest.param(
            ("-O3", "-ffunction-sections", "-fuse-ld=gold", "-Wl,--icf=all"),
            marks=pytest.mark.skipif(not shutil.which("ld.gold"), reason="there is no gold"),
        ),
    ],
)
def test_every_number_is_in_its_stack(flags: tuple[str, ...], tmp_path: Path) -> None:
    """That holds without debug information, and for stripped symbols as in wheels."""
    program = tmp_path / "frames"
    sources = [str(HERE / "extensions" / "frames.c"), str(HERE.parent / "csrc" / "frames.c")]
    include = f"-I{HERE.parent / 'csrc'}"
    command = ["cc", *flags, "-Wall", "-Wextra", "-Werror", "-rdynamic", include, *sources]
    subprocess.run([*command, "-o", str(program)], check=True)
    subprocess.run(["strip", str(program)], check=True)
    log = subprocess.run(
        ["valgrind", "--vgdb=no", str(program)], capture_output=True, text=True, check=True
    ).stderr
    stacks = {int(number): stack for number, stack in STACK.findall(log)}
    assert len(stacks) == client.NUMBERS + 1
    assert "pvg_between" in stacks.pop(-1)
    for number, stack in stacks.items():
        match = WITH_DIGITS.fullmatch(stack)
        assert match, stack
        low, high = match.groups()
        assert int(high, 8) * 64 + int(low, 8) == number
        # The stack ends there, without main and what is below it.
        assert "main" not in stack


def test_result_and_exception_pass_through() -> None:
    """They do, as if there were no frame."""
    assert client.inside_test(5, divmod, 7, 2) == (3, 1)
    assert client.outside_tests(divmod, 7, 2) == (3, 1)
    with pytest.raises(KeyboardInterrupt):
        client.inside_test(5, _interrupt)


def test_frames_do_not_lengthen_a_traceback() -> None:
    """They are C frames."""
    with pytest.raises(ZeroDivisionError) as caught:
        client.inside_test(1, client.inside_test, 1, divmod, 1, 0)
    assert len(caught.traceback) == 1


def test_generator_passes_through() -> None:
    """Its body runs wherever it is resumed."""
    numbers = client.inside_test(1, lambda: (number for number in range(3)))
    assert client.inside_test(2, next, numbers) == 0
    assert list(numbers) == [1, 2]


@pytest.mark.parametrize("arguments", [(), (1,), ("one", len)])
def test_misuse(arguments: tuple[object, ...]) -> None:
    """It raises an exception, and does not crash."""
    with pytest.raises(TypeError):
        client.inside_test(*arguments)  # type: ignore[arg-type]


def _interrupt() -> None:
    raise KeyboardInterrupt
