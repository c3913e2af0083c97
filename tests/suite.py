"""Runs of a suite in processes of their own, and what became of its tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

#: No run of the tests' takes longer, in seconds, unless it hangs; the machine may be busy.
PATIENCE = 1500

#: Before a command that SIGINT shall end: a shell has all that it runs in the background ignore it.
INTERRUPTIBLE = ("env", "--default-signal=INT")

#: Before a command that shall have process ids as in a container, from 1 on.
CONTAINED = ("unshare", "--fork", "--kill-child", "--pid", "--mount-proc")

#: Plugins that nearly halve the start of pytest under valgrind where they are left out, by their
#: entry points, and the options that need them.
_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "asyncio": (),
    "hypothesispytest": (),  # imports all of hypothesis at the end of every run
    "platformdirs": (),
    "pytest_cov": ("--cov",),
    "rerunfailures": ("--reruns",),
    "timeout": ("--timeout", "--session-timeout"),
    "xdist": ("-n", "--dist", "--tx"),
    "xdist.looponfail": (),
}


@dataclass(frozen=True)
class Case:
    """A test in JUnit XML."""

    outcome: str  #: passed, failed, error or skipped (expected failures included)
    message: str
    text: str
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """A finished process that ran pytest."""

    code: int
    output: str  #: of stdout
    errors: str  #: of stderr
    xml: Path

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The tests by name."""
        return {
            case.get("name", ""): _read(case)
            for case in ElementTree.parse(self.xml).iter("testcase")
        }

    def __getitem__(self, name: str) -> Case:
        return self.cases[name]

    @property
    def summary(self) -> list[str]:
        """The lines of our section of the terminal's summary."""
        lines = self.output.splitlines()
        starts = [n for n, line in enumerate(lines) if line.strip("= ") == "valgrind"]
        if not starts:
            return []
        rest = lines[starts[0] + 1 :]
        ends = (n for n, line in enumerate(rest) if line.startswith("==="))
        return rest[: next(ends, len(rest))]

    @property
    def totals(self) -> str:
        """The last line: how many tests failed, passed, ..."""
        return self.output.splitlines()[-1].strip("= ")


@dataclass(frozen=True)
class Suite:
    """Tests in a directory of their own.

    :ivar path: where Python finds the modules of the tests' extension.
    :ivar plugins: pytest's plugins that the tests need, by their entry points (``timeout``,
        ``asyncio``); what an option in the command line needs is loaded anyway.
    """

    directory: Path
    path: Path
    plugins: Collection[str] = ()

    def run(
        self,
        *options: str,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
        stdin: str | None = None,
        patience: int = PATIENCE,
    ) -> Run:
        """Run pytest there, and wait for its end.

        :param before: what stands before it in the command line, such as valgrind and its options.
        :param patience: seconds after which it is taken to hang.
        """
        xml = self.directory / "junit.xml"
        xml.unlink(missing_ok=True)
        command = [*before, *python, "-m", "pytest", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, f"--junitxml={xml}", *options],
            cwd=self.directory,
            env=self.environment(environment, options),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr, xml)

    def environment(
        self, changes: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> dict[str, str]:
        """Return the environment of the run.

        :param options: of its command line.
        """
        # Without byte code files, every run would compile all of pytest under valgrind.
        unwanted = ("PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        made = {**kept, "PYTHONPATH": str(self.path), "COLUMNS": "200", **(changes or {})}
        left_out = [f"-p no:{name}" for name in _LEFT_OUT if not self._needs(name, options)]
        made["PYTEST_ADDOPTS"] = " ".join([*left_out, made.get("PYTEST_ADDOPTS", "")]).strip()
        return made

    def _needs(self, plugin: str, options: Sequence[str]) -> bool:
        return plugin in self.plugins or any(
            option.startswith(_LEFT_OUT[plugin]) for option in options
        )

    def write(self, name: str, text: str) -> None:
        """Write a file into the suite."""
        (self.directory / name).write_text(text)

    def copy(self, source: Path) -> None:
        """Copy a suite's files."""
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, self.directory, dirs_exist_ok=True, ignore=ignored)


def can_be_contained() -> bool:
    """Whether this user may have processes in a namespace of their own."""
    return (
        shutil.which("unshare") is not None
        and not subprocess.run([*CONTAINED, "true"], capture_output=True, check=False).returncode
    )


def launcher(directory: Path, option: Namespace) -> Any:
    """Return what a replay has to know of the session that has started the process.

    :param option: its command line.
    """
    pluginmanager = SimpleNamespace(has_plugin=lambda name: name == "logging")
    return SimpleNamespace(
        rootpath=directory,
        inipath=None,
        known_args_namespace=option,
        invocation_params=SimpleNamespace(args=()),
        pluginmanager=pluginmanager,
    )


def _read(case: ElementTree.Element) -> Case:
    results = {child.tag: child for child in case if child.tag in ("failure", "error", "skipped")}
    properties = {found.get("name", ""): found.get("value", "") for found in case.iter("property")}
    for tag, outcome in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        if tag in results:
            result = results[tag]
            return Case(outcome, result.get("message", ""), result.text or "", properties)
    return Case("passed", "", "", properties)
