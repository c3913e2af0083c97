"""Root folders with Debian releases in them, to install the project in and to run it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments import (
    LEFT_OUT,
    REPOSITORY,
    BuildError,
    Run,
    read_report,
    run_or_raise,
    say,
)

MIRROR = "http://deb.debian.org/debian"
#: What a release is to have, beside the packages of its Python.
PACKAGES = ("ca-certificates", "g++", "gcc", "libc6-dbg", "libc6-dev", "valgrind")
#: Each release's own version of Python.
PYTHONS = {"bookworm": "3.11", "trixie": "3.13", "sid": "3.14"}
#: Where the root folders are, unless told otherwise.
ROOTS = Path("/tmp/pytest-valgrind-distributions")

# What pip needs to reach PyPI from in there as it does from out here.
_SETTINGS = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
_SECONDS = 3600  # for a run, or for making a root folder
_SECONDS_TO_DIE = 60


@dataclass(frozen=True)
class Root:
    """A root folder with a Debian release in it."""

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


def interpreters_in(release: str) -> tuple[str, ...]:
    """Return the names of a release's Python and of the debug build of it."""
    return f"python{PYTHONS[release]}", f"python{PYTHONS[release]}-dbg"


def label_in(root: Root, interpreter: str) -> str:
    """Return how the tables call an interpreter of in there.

    :raises BuildError: if there is no such interpreter.
    """
    version = root.ask(interpreter, "-c", "import platform; print(platform.python_version())")
    return f"{version} debug" if interpreter.endswith("-dbg") else version


def install_in(root: Root, interpreter: str, place: str) -> None:
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
