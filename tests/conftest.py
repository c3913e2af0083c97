"""Fixtures for suites that run under valgrind.

A process under valgrind takes ten seconds or more to start, so that one run feeds many tests:

* What fits into a run that there is already costs nothing: a further test in tests/suites:
  scenarios (the fixture ``scenarios``), planted, references, children, crashes and others.
* A run of its own is a fixture of the module, and the module's tests assert upon it: a module is
  run by one pytest-xdist worker, from its first test to its last (``--dist loadfile``).
* ``suite.run`` is the last resort: one start for one test. It leaves out other plugins than ours
  unless an option of theirs is given or ``Suite(plugins=...)`` names them.
* What is slow and seldom breaks is marked ``slow``: it runs by ``make test-all``, every night.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from suite import Run, Suite

from pytest_valgrind.settings import Settings

HERE = Path(__file__).parent
SUITES = HERE / "suites"

pytest_plugins = ["pytester"]
collect_ignore = ["suites"]

INI = "[pytest]\n"

#: Options of the two engines, for what both share: under valgrind it takes twenty times as long.
ENGINES = ("--heapcheck", pytest.param("--valgrind", marks=pytest.mark.slow))


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the extension that has a defect in every function; return where it is."""
    directory = tmp_path_factory.mktemp("extension")
    build_extension(HERE / "extensions" / "defective.c", directory, "-g")
    return directory


@pytest.fixture(scope="session")
def with_program(extension: Path) -> Path:
    """Build a program in C next to the extension; return where they are."""
    source = HERE / "extensions" / "program.c"
    subprocess.run(["cc", "-g", "-O1", str(source), "-o", str(extension / "program")], check=True)
    return extension


def build_extension(source: Path, directory: Path, *flags: str) -> None:
    """Compile a module of a single file."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    target = directory / f"{source.stem}{suffix}"
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", *flags, "-shared", "-fPIC", "-pthread"]
    # What gcc sees is wrong on purpose.
    command += ["-Wno-use-after-free", "-Wno-free-nonheap-object"]
    subprocess.run([*command, f"-I{include}", str(source), "-o", str(target)], check=True)


@pytest.fixture
def suite(tmp_path: Path, extension: Path) -> Suite:
    """Return an empty suite."""
    made = Suite(tmp_path, extension)
    made.write("pytest.ini", INI)
    return made


@pytest.fixture(scope="session")
def scenarios(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Run:
    """Return the run of all scenarios from the one command."""
    return run_scenarios(tmp_path_factory, extension, "--strict-markers", "-rA", "-v")


def run_scenarios(tmp_path_factory: pytest.TempPathFactory, extension: Path, *options: str) -> Run:
    """Run all scenarios."""
    made = Suite(tmp_path_factory.mktemp("scenarios"), extension, plugins=["asyncio"])
    made.write("pytest.ini", f"{INI}asyncio_default_fixture_loop_scope = function\n")
    made.copy(SUITES / "scenarios")
    files = ("--memory-json=report.json", "--memory-sarif=report.sarif")
    return made.run("--valgrind", "--doctest-modules", *files, *options)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Suite:
    """Return the example that has come down from 0.x."""
    made = Suite(tmp_path_factory.mktemp("example"), extension)
    made.write("pytest.ini", INI)
    made.copy(HERE.parent / "example")
    return made


@pytest.fixture
def native() -> list[str]:
    """Return the command that starts the interpreter."""
    return [sys.executable]


@pytest.fixture
def settings() -> Settings:
    """Return settings as they are by default, under valgrind."""
    return Settings.by_default()._replace(valgrind=True)
