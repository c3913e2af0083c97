"""Run the example on every interpreter that is here, in both ways to call it.

    python evaluation/interpreters.py [--work DIR] [INTERPRETER ...]

One wheel is built, on the first release build, and installed on all release builds: it is abi3. A
debug build compiles its own. Prints a Markdown table; the exit code is 1 if anything is not as in
0.x.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from environments import (
    ALL_INTERPRETERS,
    REPOSITORY,
    BuildError,
    Environment,
    available,
    build_plugin,
    is_debug,
    label,
    make_environment,
    markdown,
    say,
)

EXPECTED = "4 failed, 2 passed, 3 xfailed"
SECONDS = 300


def main() -> int:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-interpreters"))
    parser.add_argument("interpreters", nargs="*", default=ALL_INTERPRETERS)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows = list(_rows(arguments.work, available(arguments.interpreters)))
    print(markdown(["interpreter", "wheel", "`pytest --valgrind`", "command line of 0.x"], rows))
    return int(any(cells[2:] != (EXPECTED, EXPECTED) for cells in rows))


def _rows(work: Path, interpreters: list[str]) -> Iterator[tuple[str, str, str, str]]:
    shared: Path | None = None
    for interpreter in interpreters:
        name = label(interpreter)
        say(name)
        directory = work / name.replace(" ", "-")
        try:
            environment = make_environment(directory, interpreter)
            wheel = shared
            if wheel is None or is_debug(interpreter):
                wheel = build_plugin(environment, directory)
                shared = shared or (None if is_debug(interpreter) else wheel)
            environment.install_plugin(wheel)
        except BuildError as error:
            say(str(error))
            yield name, "not built", "-", "-"
            continue
        # A copy, out of reach of this project's own settings for pytest.
        shutil.copytree(REPOSITORY / "example", directory / "example", dirs_exist_ok=True)
        yield name, wheel.name.split("-", 2)[2], _one_command(environment), _classic(environment)


def _one_command(environment: Environment) -> str:
    return _totals(environment, [str(environment.python), "-m", "pytest", "--valgrind"], {})


def _classic(environment: Environment) -> str:
    log = environment.directory / "valgrind.log"
    command = ["valgrind", "--show-leak-kinds=definite", f"--log-file={log}"]
    command += [str(environment.python), "-m", "pytest", "-vv", "--valgrind"]
    return _totals(environment, [*command, f"--valgrind-log={log}"], {"PYTHONMALLOC": "malloc"})


def _totals(environment: Environment, command: list[str], changes: dict[str, str]) -> str:
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=environment.directory / "example",
        env={**os.environ, **changes},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    return re.sub(r" in [\d.:s() ]+$", "", last.strip("= "))


if __name__ == "__main__":
    sys.exit(main())
