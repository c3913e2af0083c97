"""Run the example and the scenarios on Debian's releases, with the valgrind and Python of each.

    python tools/distributions.py [--work DIR] [DISTRIBUTION ...]

Every release lives in a root folder, which debootstrap makes. One that is there is used as it is:
for a newer sid, remove the old one. In it the project is compiled and installed for Debian's Python
and for the debug build of the same version; what else it needs comes from PyPI.

Prints a Markdown table and, below it, every test that failed. The exit code is 1 if anything is not
as it should be. Needs root and the network, and takes an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments import (
    LEFT_OUT,
    REPOSITORY,
    BuildError,
    Run,
    TestResult,
    markdown,
    read_report,
    run_or_raise,
    say,
)

HEAD = ("distribution", "valgrind", "interpreter", "`pytest --valgrind`", "scenarios")
MIRROR = "http://deb.debian.org/debian"
#: What a release is to have, beside the packages of its Python.
PACKAGES = ("ca-certificates", "g++", "gcc", "libc6-dbg", "libc6-dev", "valgrind")
#: Each release's own version of Python.
PYTHONS = {"bookworm": "3.11", "trixie": "3.13", "sid": "3.14"}
EXPECTED = "4 failed, 2 passed, 3 xfailed"
TESTS = ("tests/test_scenarios.py", "tests/test_compatibility.py")

# What pip needs to reach PyPI from in there as it does from out here.
_SETTINGS = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
_SECONDS = 3600  # for a run, or for making a root folder
_SECONDS_TO_DIE = 60


@dataclass(frozen=True)
class Root:
    """A root folder with a release of Debian's in it."""

    directory: Path

    def make(self, release: str) -> None:
        """Fill it, unless that has been done.

        :raises BuildError: if that fails.
        """
        if self.directory.exists():
            return
        if shutil.which("debootstrap") is None:
            raise BuildError("There is no debootstrap here: `apt install debootstrap`.")
        say(f"{release}: debootstrap")
        python = f"python{PYTHONS[release]}"
        wanted = ",".join([*PACKAGES, *(f"{python}-{part}" for part in ("dev", "venv", "dbg"))])
        # Under its name there is never half of one.
        made = self.directory.with_name(f"{release}.part")
        shutil.rmtree(made, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={wanted}", release, str(made)]
        run_or_raise([*command, MIRROR], seconds=_SECONDS)
        made.rename(self.directory)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Make it ready to run commands in, and let go of it in the end.

        :raises BuildError: if /proc cannot be mounted, which valgrind needs.
        """
        for path in _SETTINGS:
            if Path(path).exists():
                self.outside(path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.outside(path))
        proc = str(self.outside("/proc"))
        run_or_raise(["mount", "-t", "proc", "proc", proc])
        try:
            yield
        finally:
            # A process that has been left behind is no reason to leave the mount, too.
            run_or_raise(["umount", "--lazy", proc])

    def outside(self, path: str) -> Path:
        """Return where a path of in there is for everybody else."""
        return self.directory / path.lstrip("/")

    def ask(self, *words: str) -> str:
        """Run a command in there and return its output.

        :raises BuildError: if it fails.
        """
        return run_or_raise(self._command(words, "/")).strip()

    def run_pytest(self, place: str, directory: str, words: Sequence[str]) -> Run:
        """Run an environment's pytest in a directory of in there.

        The output and the JUnit XML stay beside the directory, as ``NAME.out`` and ``NAME.xml``.

        :param place: of the environment.
        """
        report = self.outside(f"{directory}.xml")
        output = self.outside(f"{directory}.out")
        report.unlink(missing_ok=True)
        # timeout(1) ends the process under valgrind as well.
        limit = ["nice", "-n", "5", "timeout", f"--kill-after={_SECONDS_TO_DIE}", str(_SECONDS)]
        # Not `python -m pytest`: that would import the tree's package, which is not compiled.
        command = [*limit, f"{place}/environment/bin/pytest", f"--junitxml={directory}.xml"]
        begin = time.monotonic()
        with output.open("w") as file:
            done = subprocess.run(
                self._command([*command, "-p", "no:cacheprovider", *words], directory),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return Run(
            code=done.returncode,
            seconds=time.monotonic() - begin,
            output=output.read_text(errors="replace"),
            tests=read_report(report) if report.exists() else None,
        )

    def _command(self, words: Sequence[str], directory: str) -> list[str]:
        """Return what runs a command in there, with none of the caller's settings but pip's."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        variables = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}
        variables |= {name: value for name, value in os.environ.items() if _is_of_pip(name)}
        settings = [f"{name}={value}" for name, value in variables.items()]
        enter = ["chroot", str(self.directory), "env", "-i", f"--chdir={directory}"]
        return [*enter, *settings, *words]


@dataclass(frozen=True)
class Result:
    """How a release came out with an interpreter."""

    release: str
    valgrind: str = "-"
    interpreter: str = "-"
    example: Run | None = None  #: None if the project could not be built
    scenarios: Run | None = None

    @property
    def row(self) -> list[object]:
        """The table's row."""
        runs = ["not built", "-"]
        if self.example and self.scenarios:
            runs = [_totals(self.example), _totals(self.scenarios)]
        return [self.release, self.valgrind, self.interpreter, *runs]

    @property
    def is_good(self) -> bool:
        """Whether everything is as it should be."""
        if not self.example or not self.scenarios:
            return False
        return _totals(self.example) == EXPECTED and self.scenarios.code == 0

    @property
    def details(self) -> Iterator[str]:
        """The tests that failed, as a list in Markdown."""
        for test in self._failed:
            line = test.message.partition("\n")[0]
            yield f"- {self.release}, {self.interpreter}: `{test}`: {line}"

    @property
    def _failed(self) -> list[TestResult]:
        tests = self.scenarios.tests if self.scenarios else None
        return [test for test in tests or [] if test.failed]


def main() -> int:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("distributions", nargs="*", metavar="DISTRIBUTION", help="default: all")
    parser.add_argument("--work", type=Path, default=Path("/tmp/pytest-valgrind-distributions"))
    options = parser.parse_args()
    if unknown := set(options.distributions) - set(PYTHONS):
        parser.error(f"no such distribution: {', '.join(sorted(unknown))}: {', '.join(PYTHONS)}")
    if os.geteuid():
        parser.error("only root can make root folders and run commands in them.")
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    results = [
        result
        for release in options.distributions or PYTHONS
        for result in _results(Root(work / release), release)
    ]
    print(markdown(HEAD, [result.row for result in results]), end="\n\n")
    for line in [line for result in results for line in result.details]:
        print(line)
    return int(not all(result.is_good for result in results))


def _results(root: Root, release: str) -> Iterator[Result]:
    """Run everything in a release, with either build of its Python."""
    try:
        root.make(release)
        with root.open():
            valgrind = root.ask("valgrind", "--version").removeprefix("valgrind-")
            for suffix in ("", "-dbg"):
                yield _result(root, release, valgrind, f"python{PYTHONS[release]}{suffix}")
    except BuildError as error:
        say(str(error))
        yield Result(release)


def _result(root: Root, release: str, valgrind: str, interpreter: str) -> Result:
    """Build the project for an interpreter, and run the example and the scenarios."""
    say(f"{release}: {interpreter}")
    place = f"/srv/{interpreter}"
    name = interpreter
    try:
        name = _label(root, interpreter)
        _install(root, interpreter, place)
    except BuildError as error:
        say(str(error))
        return Result(release, valgrind, name)
    # Out of reach of the project's own settings for pytest.
    example = root.run_pytest(place, f"{place}/example", ["--valgrind"])
    say(f"{release}: {interpreter}: {_totals(example)} in {example.seconds:.0f} s")
    scenarios = root.run_pytest(place, f"{place}/project", TESTS)
    say(f"{release}: {interpreter}: {_totals(scenarios)} in {scenarios.seconds:.0f} s")
    return Result(release, valgrind, name, example, scenarios)


def _label(root: Root, interpreter: str) -> str:
    version = root.ask(interpreter, "-c", "import platform; print(platform.python_version())")
    return f"{version} debug" if interpreter.endswith("-dbg") else version


def _install(root: Root, interpreter: str, place: str) -> None:
    """Copy the project into a root folder, and install it there in an environment.

    :raises BuildError: if that fails.
    """
    outside = root.outside(place)
    # Each interpreter has a copy: a build leaves behind what would be stale in the next.
    shutil.rmtree(outside, ignore_errors=True)
    project = outside / "project"
    shutil.copytree(REPOSITORY, project, ignore=LEFT_OUT)
    shutil.copytree(project / "example", outside / "example")
    root.ask(interpreter, "-m", "venv", f"{place}/environment")
    root.ask(f"{place}/environment/bin/pip", "install", "-q", f"{place}/project[test]")


def _is_of_pip(name: str) -> bool:
    return name.startswith("PIP_") or name.lower().endswith("_proxy")


def _totals(run: Run) -> str:
    """Return pytest's last line without the time, or that there was none."""
    if not run.completed:
        return f"not completed ({run.code})"
    last = run.output.splitlines()[-1]
    return re.sub(r" in [\d.:s() ]+$", "", last.strip("= "))


if __name__ == "__main__":
    sys.exit(main())
