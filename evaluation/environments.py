"""What the scripts in this folder share: environments, builds from source, and runs.

Everything is made in a directory that the caller names, never in the repository. Only one suite
runs at a time.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parent.parent
#: Where pyenv keeps its interpreters.
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
#: The interpreters to use, unless told otherwise; those that are not there are passed over.
INTERPRETERS = (str(PYENV / "3.11.7/bin/python"), "/usr/bin/python3.11")
#: All that the project is tried on.
ALL_INTERPRETERS = (
    "/usr/bin/python3.11",
    "/usr/bin/python3.11-dbg",
    *(str(PYENV / version / "bin/python") for version in ("3.10.13", "3.11.7", "3.12.1", "3.13.0")),
)
#: Exit code of a run that took too long, as timeout(1) has it.
TIMED_OUT = 124

#: Of the tree, what an installation does not need or what would be stale in it.
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "*.so", "__pycache__")
# What the caller's environment may hold that would change a run.
_UNWANTED = ("PYTEST", "PYTHON", "VALGRIND", "LD_PRELOAD")
# pytest's exit codes: passed, failed, and nothing to run.
_COMPLETE = (0, 1, 5)
# How the headers of verdicts begin, by engine.
_HEADERS = ("[VALGRIND", "[HEAP")
# Where the header of a run names what valgrind was given.
_OPTIONS = re.compile(r"^valgrind: options (.+)$", re.MULTILINE)
_SECONDS_TO_DIE = 60


class BuildError(Exception):
    """A command that prepares a run failed; the message holds its output."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    directory: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    def install(self, *words: str, flags: str = "") -> None:
        """Install with pip.

        :param words: requirements and options for pip.
        :param flags: for the compilers of C and C++.
        :raises BuildError: if pip fails.
        """
        # scikit-build would strip what it has compiled.
        changes = {"CFLAGS": flags, "CXXFLAGS": flags, "SKBUILD_INSTALL_STRIP": "false"}
        run_or_raise([*self._pip("install"), *words], changes=changes if flags else {})

    def install_from_source(self, source: Path, flags: str) -> None:
        """Compile the package in a directory and install it, and what it needs.

        :raises BuildError: if that fails.
        """
        # The version may be the same as before, and the code another.
        self.install("--no-cache-dir", "--force-reinstall", str(source), flags=flags)

    def install_plugin(self, wheel: Path) -> None:
        """Install this project, and what it needs.

        :param wheel: by :func:`build_plugin`.
        :raises BuildError: if that fails.
        """
        self.install(str(wheel))
        # The version may be the same as before, and the code another.
        self.install("--no-deps", "--force-reinstall", str(wheel))

    def download_source(self, name: str, version: str, to: Path) -> Path:
        """Download and unpack a package's sdist; return the directory of its files.

        :raises BuildError: if there is none.
        """
        archives, unpacked = to / "archives", to / "unpacked"
        for directory in (archives, unpacked):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        words = ["--no-deps", "--no-binary", name, "--dest", str(archives), f"{name}=={version}"]
        run_or_raise([*self._pip("download"), *words])
        (archive,) = archives.iterdir()
        shutil.unpack_archive(archive, unpacked)
        (source,) = unpacked.iterdir()
        return source

    def build_wheel(self, source: Path, to: Path) -> Path:
        """Build the wheel of a directory's package.

        :raises BuildError: if that fails.
        """
        shutil.rmtree(to, ignore_errors=True)
        run_or_raise([*self._pip("wheel"), "--no-deps", "--wheel-dir", str(to), str(source)])
        (wheel,) = to.glob("*.whl")
        return wheel

    def _pip(self, command: str) -> list[str]:
        return [str(self.python), "-m", "pip", command, "-q", "--disable-pip-version-check"]


@dataclass(frozen=True)
class TestResult:
    """What the JUnit XML says about a test."""

    __test__ = False  # pytest is not to collect it

    module: str
    name: str  #: with the parameters
    skipped: bool = False  #: or an expected failure
    message: str = ""  #: of the failure, in one line
    text: str = ""  #: of the failure, whole; empty if there was none

    @property
    def function(self) -> str:
        """The name without the parameters."""
        return self.name.partition("[")[0]

    @property
    def failed(self) -> bool:
        """Whether it failed, for whatever reason."""
        return bool(self.text or self.message)

    @property
    def failed_by_valgrind(self) -> bool:
        """Whether it failed because of what valgrind found."""
        return any(header in self.message or header in self.text for header in _HEADERS)

    @property
    def header(self) -> str:
        """As ``[VALGRIND ERROR]``; empty if nothing was found."""
        for header in _HEADERS:
            _, found, rest = self.text.partition(header)
            if found:
                return f"{found}{rest.partition(']')[0]}]"
        return ""

    def __str__(self) -> str:
        return f"{self.module}::{self.name}"


@dataclass(frozen=True)
class Run:
    """A run of a suite that has ended."""

    code: int
    seconds: float
    #: pytest's own output, in the end also the launcher's.
    output: str
    #: None if there is no JUnit XML, because the process did not live to write it.
    tests: list[TestResult] | None = field(default=None)
    cpu: float = 0.0  #: seconds, of all processes together
    name: str = ""  #: of its files

    @property
    def completed(self) -> bool:
        """Whether pytest came to its end."""
        return self.tests is not None and self.code in _COMPLETE

    @property
    def options(self) -> list[str]:
        """What valgrind was given, but for files; empty if the header does not say."""
        named = _OPTIONS.search(self.output)
        words = shlex.split(named[1]) if named else []
        return [word for word in words if not word.startswith(("--log-file=", "--suppressions="))]

    @property
    def failed_by_valgrind(self) -> list[TestResult]:
        """The tests that failed because of what valgrind found."""
        return [test for test in self.tests or [] if test.failed_by_valgrind]

    @property
    def failed_otherwise(self) -> list[TestResult]:
        """The tests that failed without valgrind having to do with it."""
        return [test for test in self.tests or [] if test.failed and not test.failed_by_valgrind]


def make_environment(directory: Path, interpreter: str | Path) -> Environment:
    """Make a virtual environment, anew if there is one.

    :raises BuildError: if the interpreter cannot.
    """
    run_or_raise([str(interpreter), "-m", "venv", "--clear", str(directory)])
    return Environment(directory)


def build_plugin(environment: Environment, work: Path) -> Path:
    """Build this project's wheel, which fits every release of CPython that the project supports.

    From a copy: nothing is left behind in the tree.

    :raises BuildError: if that fails.
    """
    copy = work / "plugin"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(REPOSITORY, copy, ignore=LEFT_OUT)
    return environment.build_wheel(copy, work / "wheels")


def run_suite(  # noqa: PLR0913
    environment: Environment,
    directory: Path,
    words: Iterable[str] = (),
    *,
    seconds: float,
    name: str = "",
    engine: str = "valgrind",
) -> Run:
    """Run ``pytest --valgrind`` in a directory.

    The output and the JUnit XML stay beside the directory, as ``NAME.out`` and ``NAME.xml``.

    :param words: more words of the command line.
    :param seconds: after which the run is ended.
    :param name: of the files, the directory's if there is none.
    :param engine: ``heapcheck`` for ``pytest --heapcheck`` instead.
    """
    # With -v the header names valgrind's options.
    options = (f"--{engine}", "--memory-failures=report", "-v")
    command = [_pytest(environment), *options, *words]
    return _run_pytest(command, directory, name or directory.name, seconds)


def run_suite_natively(
    environment: Environment,
    directory: Path,
    words: Iterable[str],
    *,
    seconds: float,
    variables: Iterable[str] = (),
) -> Run:
    """Run pytest in a directory, without valgrind.

    :param words: more words of the command line.
    :param seconds: after which the run is ended.
    :param variables: of its environment, ``NAME=value``.
    """
    command = ["env", *variables, _pytest(environment), *words]
    return _run_pytest(command, directory, directory.name, seconds)


def run_suite_plainly(
    environment: Environment, directory: Path, words: Iterable[str], like: Run, *, seconds: float
) -> Run:
    """Run pytest in a directory under plain valgrind, without this project.

    :param words: of pytest's command line.
    :param like: the run to compare with, whose options valgrind is to have.
    :param seconds: after which the run is ended.
    """
    name = f"{like.name}-plain"
    log = directory.with_name(f"{name}.log")
    valgrind = ("env", "PYTHONMALLOC=malloc", "valgrind", *like.options, f"--log-file={log}")
    # Not `python -m pytest`: that would import modules from the directory.
    pytest = (str(environment.python), _pytest(environment), "-p", "no:valgrind")
    return _run_pytest([*valgrind, *pytest, *words], directory, name, seconds)


def read_report(path: Path) -> list[TestResult]:
    """Return the tests of a JUnit XML file; a module that cannot be imported is in there, too."""
    tests: dict[tuple[str, str], TestResult] = {}
    for element in ElementTree.parse(path).iter("testcase"):
        test = _read_test(element)
        known = tests.get((test.module, test.name))
        # A test that fails in its teardown is there twice.
        if known is not None and known.failed and test.failed:
            test = replace(test, text=f"{known.text}\n{test.text}")
        if known is None or test.failed:
            tests[test.module, test.name] = test
    return list(tests.values())


def available(interpreters: Iterable[str]) -> list[str]:
    """Return those that are there, and say which are not."""
    found = []
    for interpreter in interpreters:
        if shutil.which(interpreter):
            found.append(interpreter)
        else:
            say(f"there is no {interpreter}")
    return found


def label(interpreter: str) -> str:
    """Return how the tables call an interpreter: its version, its build, Debian's by its path."""
    command = [interpreter, "-c", "import platform; print(platform.python_version())"]
    version = run_or_raise(command).strip()
    if interpreter.startswith("/usr/bin/"):
        version += " (Debian)"
    return f"{version} debug" if is_debug(interpreter) else version


def is_debug(interpreter: str) -> bool:
    """Whether an interpreter is a debug build, which takes no wheel of a release build's."""
    code = "import sys; print(hasattr(sys, 'gettotalrefcount'))"
    return run_or_raise([interpreter, "-c", code]).strip() == "True"


def run_or_raise(
    command: Sequence[str], *, changes: Mapping[str, str] | None = None, seconds: float = 900
) -> str:
    """Run a command that prepares something and return its output.

    :param changes: to the environment's variables.
    :raises BuildError: if it fails or takes too long.
    """
    try:
        done = subprocess.run(
            command,
            env={**_clean_variables(), **(changes or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{' '.join(command)} took more than {seconds:.0f} seconds.") from None
    if done.returncode:
        raise BuildError(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def say(text: str) -> None:
    """Tell what is going on, apart from the tables."""
    print(text, file=sys.stderr, flush=True)


def _read_test(element: ElementTree.Element) -> TestResult:
    failures = [*element.findall("failure"), *element.findall("error")]
    return TestResult(
        module=element.get("classname", ""),
        name=element.get("name", ""),
        skipped=element.find("skipped") is not None,
        message="; ".join(failure.get("message", "") for failure in failures),
        text="\n".join(failure.text or "" for failure in failures),
    )


def _pytest(environment: Environment) -> str:
    return str(environment.directory / "bin" / "pytest")


def _run_pytest(command: Sequence[str], directory: Path, name: str, seconds: float) -> Run:
    report = directory.with_name(f"{name}.xml")
    output = directory.with_name(f"{name}.out")
    report.unlink(missing_ok=True)
    common = ("-p", "no:cacheprovider", "-v", f"--junitxml={report}")
    begin, cpu = time.monotonic(), _cpu_of_children()
    with output.open("w") as file:
        code = _run_for(["nice", "-n", "5", *command, *common], seconds, directory, file.fileno())
    return Run(
        code=code,
        seconds=time.monotonic() - begin,
        output=output.read_text(errors="replace"),
        tests=read_report(report) if report.exists() else None,
        # Only one run at a time is under way.
        cpu=_cpu_of_children() - cpu,
        name=name,
    )


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run_for(command: Sequence[str], seconds: float, directory: Path, output: int) -> int:
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=_clean_variables(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, if it has not ended, and the one under valgrind that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=_SECONDS_TO_DIE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _clean_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_UNWANTED)}


def _cell(value: object) -> str:
    text = f"{value:.0f}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())
