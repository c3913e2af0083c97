"""What watching a suite costs: natively, under plain valgrind, with 0.2.0 and with this plugin.

    python benchmarks/bench.py --python /usr/bin/python3.11 --tests 200 --rounds 3

Prints a Markdown table for each suite; if interrupted, of the runs that are complete. Virtual
environments, suites, logs and the output of every run are kept in the directory ``--work``. Only
one run is under way at a time.

What is measured is the whole process with all that it started: seconds from start to end, seconds
of CPU of all processes together, and the peak of the largest one's memory. Of several runs the
least counts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suites import SUITES, Package, Suite

REPOSITORY = Path(__file__).resolve().parent.parent
FORMER_REQUIREMENT = "pytest-valgrind==0.2.0"
# Of the tree, what an installation does not need or what would be stale in it.
_LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "*.so", "__pycache__")
# What the caller's environment may hold that would change a run.
_UNWANTED = ("PYTEST", "PYTHON", "VALGRIND", "LD_PRELOAD")
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|xfailed|xpassed|errors?)\b")


@dataclass(frozen=True)
class Place:
    """What all runs with one interpreter share."""

    ours: Path  #: the interpreter of the environment that has the plugin of this tree
    former: Path  #: and of the one that has 0.2.0
    options: tuple[str, ...]  #: that the launcher gives to valgrind, but for its files
    versions: str  #: of all that takes part


@dataclass(frozen=True)
class Runner:
    """A way to run a suite."""

    name: str
    title: str
    #: The command, given where to put valgrind's log.
    command: Callable[[Place, Path], list[str]]
    #: Whether it runs in the first round only, being slow and far from the others.
    once: bool = False
    #: What it needs from PyPI.
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run's cost, and how it ended."""

    wall: float  #: seconds
    cpu: float  #: seconds, of the command and all that it started
    peak: float  #: MiB, of its largest process
    counts: dict[str, int]  #: tests by outcome
    end: str  #: the outcomes in words, or why there are none


def _pytest(python: Path, *options: str) -> list[str]:
    return [str(python), "-m", "pytest", "-p", "no:cacheprovider", *options]


def _plain_pytest(place: Place) -> list[str]:
    # Installed, as suites may call it, but not loaded as a plugin.
    return _pytest(place.ours, "-p", "no:valgrind")


def _under_valgrind(options: Iterable[str], log: Path, command: Iterable[str]) -> list[str]:
    return ["env", "PYTHONMALLOC=malloc", "valgrind", *options, f"--log-file={log}", *command]


def _native(place: Place, _log: Path) -> list[str]:
    return _plain_pytest(place)


def _native_malloc(place: Place, _log: Path) -> list[str]:
    return ["env", "PYTHONMALLOC=malloc", *_plain_pytest(place)]


def _heapcheck(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--heapcheck")


def _heapcheck_in_one_run(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--heapcheck", "--heapcheck-stacks-seconds=0")


def _heapcheck_without_guards(place: Place, _log: Path) -> list[str]:
    return _pytest(
        place.ours, "--heapcheck", "--heapcheck-stacks-seconds=0", "--heapcheck-guards=off"
    )


def _both(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "--heapcheck")


def _resources(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--resources=all")


def _memory_log(place: Place, log: Path) -> list[str]:
    return _pytest(place.ours, f"--memory-log={log}")


def _limits(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--limit-memory=1GB")


def _hunt(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "-R", ":")


def _plain(place: Place, log: Path) -> list[str]:
    return _under_valgrind((), log, _plain_pytest(place))


def _plain_with_our_options(place: Place, log: Path) -> list[str]:
    return _under_valgrind(place.options, log, _plain_pytest(place))


def _former(place: Place, log: Path) -> list[str]:
    pytest = _pytest(place.former, "--valgrind", f"--valgrind-log={log}")
    return _under_valgrind(["--show-leak-kinds=definite"], log, pytest)


def _ours(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind")


def _ours_with_limits(place: Place, log: Path) -> list[str]:
    return _pytest(
        place.ours, "--valgrind", "--limit-memory=1GB", f"--memory-log={log.with_suffix('.jsonl')}"
    )


def _exact(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "--valgrind-leak-check=exact")


def _ours_with_two_workers(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "-n2")


def _ours_without_leaks(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "--no-memcheck")


def _ours_without_references(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "--valgrind-no-references")


def _ours_with_python_frames(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "--valgrind-python-frames")


NATIVE = Runner("native", "natively", _native)
MALLOC = Runner("malloc", "natively, PYTHONMALLOC=malloc", _native_malloc)
OURS = Runner("ours", "`pytest --valgrind`", _ours)
PLAIN = Runner("plain", "valgrind, its defaults", _plain)
PLAIN_OPTIONS = Runner("options", "valgrind, our options", _plain_with_our_options)
FORMER = Runner("former", "pytest-valgrind 0.2.0", _former, once=True)
RUNNERS = {
    runner.name: runner
    for runner in (
        NATIVE,
        MALLOC,
        Runner("heapcheck", "`pytest --heapcheck`", _heapcheck),
        Runner("heapcheck-one-run", "the same, no test runs again", _heapcheck_in_one_run),
        Runner("heapcheck-no-guards", "the same, without guards", _heapcheck_without_guards),
        Runner("both", "`pytest --valgrind --heapcheck`", _both),
        Runner("resources", "`pytest --resources=all`", _resources),
        Runner("memory-log", "`pytest --memory-log=FILE`", _memory_log),
        Runner("limits", "`pytest --limit-memory=1GB`", _limits),
        Runner("hunt", "`pytest -R :`", _hunt),
        PLAIN,
        PLAIN_OPTIONS,
        FORMER,
        OURS,
        Runner(
            "ours-limits",
            "`pytest --valgrind --limit-memory=1GB --memory-log=FILE`",
            _ours_with_limits,
        ),
        Runner("exact", "`pytest --valgrind --valgrind-leak-check=exact`", _exact, once=True),
        Runner(
            "ours-no-references",
            "`pytest --valgrind --valgrind-no-references`",
            _ours_without_references,
        ),
        Runner(
            "ours-python-frames",
            "`pytest --valgrind --valgrind-python-frames`",
            _ours_with_python_frames,
        ),
        Runner(
            "ours-two-workers",
            "`pytest --valgrind -n 2`",
            _ours_with_two_workers,
            requirements=("pytest-xdist",),
        ),
        Runner("ours-no-memcheck", "`pytest --valgrind --no-memcheck`", _ours_without_leaks),
    )
}


def prepare(python: Path, work: Path, suites: Sequence[Suite], runners: Iterable[Runner]) -> Place:
    """Make or update the virtual environments, and learn the launcher's options."""
    source = work / "source"
    shutil.rmtree(source, ignore_errors=True)
    commit = _output(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]).strip()
    # A copy, as a build would write into the tree.
    shutil.copytree(REPOSITORY, source, ignore=_LEFT_OUT)
    ours = _environment(python, work / "ours")
    _pip(ours, "install", str(source))
    # The same pytest in both, whenever each was made.
    pytest = _printed(ours, "import pytest; print(pytest.__version__)")
    former = _environment(python, work / "former")
    _pip(former, "install", f"pytest=={pytest}", FORMER_REQUIREMENT)
    needed = list(_needed(ours, work, suites))
    needed += [word for runner in runners for word in runner.requirements]
    if needed:
        _pip(ours, "install", *needed)
        _pip(former, "install", *needed)
    version = _printed(ours, "import platform; print(platform.python_version())")
    valgrind = _output(["valgrind", "--version"]).strip()
    versions = f"Python {version} ({python}), pytest {pytest}, {valgrind}, this plugin at {commit}"
    return Place(ours, former, _launcher_options(ours, work), versions)


def _environment(python: Path, directory: Path) -> Path:
    inside = directory / "bin" / "python"
    if not inside.exists():
        _output([str(python), "-m", "venv", str(directory)])
    return inside


def _pip(python: Path, command: str, *words: str, flags: str = "") -> None:
    """Run pip.

    :param flags: for the C compiler.
    """
    changes = {"CFLAGS": flags} if flags else {}
    _output([str(python), "-m", "pip", command, "-q", *words], changes)


def _needed(python: Path, work: Path, suites: Iterable[Suite]) -> Iterator[str]:
    """Return what is to be installed for the suites."""
    for suite in suites:
        yield from suite.requirements
        if isinstance(suite.tests, Package):
            yield str(_wheel(python, suite.tests, work))


def _wheel(python: Path, package: Package, work: Path) -> Path:
    """Compile a package from its sdist, unless that was done before; the sdist stays there."""
    source = _source(package, work)
    wheels = source.with_name("wheels")
    if not list(wheels.glob("*.whl")):
        archives = source.with_name("archives")
        shutil.rmtree(source.parent, ignore_errors=True)
        required = f"{package.name}=={package.version}"
        no_wheel = ("--no-deps", "--no-binary", package.name)
        _pip(python, "download", *no_wheel, "--dest", str(archives), required)
        (archive,) = archives.iterdir()
        shutil.unpack_archive(archive, source.parent)
        _pip(python, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(source), flags="-g")
    (wheel,) = wheels.glob("*.whl")
    return wheel


def _source(package: Package, work: Path) -> Path:
    """Return where the files of a package's sdist are."""
    name = f"{package.name}-{package.version}"
    return work / "packages" / name / name


def _printed(python: Path, code: str) -> str:
    return _output([str(python), "-c", code]).strip()


def _launcher_options(python: Path, work: Path) -> tuple[str, ...]:
    """Return the options that a run's header names.

    The run also leaves the plugin's byte code, for the first that is measured.
    """
    with tempfile.TemporaryDirectory(dir=work) as directory:
        Path(directory, "pytest.ini").write_text("[pytest]\n")
        Path(directory, "test_one.py").write_text("def test() -> None:\n    pass\n")
        output = _output([*_pytest(python, "--valgrind"), "-v", directory])
    header = re.search(r"^valgrind: options (.+)$", output, re.MULTILINE)
    if header is None:
        sys.exit(f"A run names no valgrind options:\n{output}")
    # Its files are gone by now.
    files = ("--log-file=", "--suppressions=")
    return tuple(option for option in shlex.split(header[1]) if not option.startswith(files))


def _output(command: Sequence[str], changes: Mapping[str, str] | None = None) -> str:
    """Run something that is not measured, and return what it prints.

    :param changes: to the environment's variables.
    :raises SystemExit: if it fails.
    """
    variables = {**_clean_environment(), **(changes or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_UNWANTED)}


def write(suite: Suite, work: Path, tests: int) -> Path:
    """Write a suite anew, and return its directory."""
    directory = work / "suites" / suite.name
    shutil.rmtree(directory, ignore_errors=True)
    if isinstance(suite.tests, Package):
        shutil.copytree(_source(suite.tests, work), directory)
        shutil.rmtree(directory / suite.tests.modules)
    else:
        directory.mkdir(parents=True)
        # Keeps pytest from looking for a configuration further up.
        (directory / "pytest.ini").write_text("[pytest]\n")
        (directory / f"test_{suite.name}.py").write_text(suite.tests(tests))
    return directory


def measure(command: Sequence[str], directory: Path, output: Path, timeout: float) -> Run:
    """Run pytest in a directory.

    :param output: the file for what it prints.
    :param timeout: the seconds after which it is killed.
    """
    with output.open("wb") as file:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=_clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _killed_in_the_end(process, timeout):
            # Counts the process and all that it has waited for.
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
    counts, end = _outcome(output.read_text(errors="replace"), process.returncode)
    if process.returncode == -signal.SIGKILL and wall >= timeout:
        end = f"over {timeout:.0f} s"
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, counts, end)


@contextlib.contextmanager
def _killed_in_the_end(process: subprocess.Popen[bytes], timeout: float) -> Iterator[None]:
    """Kill a process and what it started after a time, or when this program is interrupted."""

    def kill() -> None:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        kill()


def _outcome(output: str, code: int) -> tuple[dict[str, int], str]:
    last = output.strip().rpartition("\n")[2]
    # A run that was cut short has no such line, and one that was interrupted is no measurement.
    if code not in (0, 1):
        return {}, f"exit code {code}: {last}"
    counts = {word: int(number) for number, word in _COUNT.findall(last)}
    if not counts:
        return {}, f"exit code {code}: {last}"
    return counts, ", ".join(f"{number} {word}" for word, number in counts.items())


def table(suite: Suite, runs: dict[Runner, list[Run]]) -> Iterator[str]:
    """Return the lines of a table, a row for each runner."""
    least = {runner: _least(of_runner) for runner, of_runner in runs.items() if of_runner}
    bases = _bases(runs)
    head = ["", "runs", "wall s", "CPU s", "peak MiB"]
    for base in bases.values():
        head += [f"{measure} x {base}" for measure in ("wall", "CPU", "peak")]
    above = next(iter(bases.values()), "none")
    yield f"| {' | '.join([*head, f'ms of CPU/test above {above}', 'outcome'])} |"
    yield "|---" + "|---:" * len(head) + "|---|"
    for runner, of_runner in runs.items():
        if of_runner:
            compared = [least.get(base) for base in bases]
            cells = [str(len(of_runner)), *_cells(least[runner], compared)]
        else:
            cells = ["0", *["-"] * (len(head) - 1), _why_not(suite, runner)]
        yield f"| {' | '.join([runner.title, *cells])} |"


def _bases(runners: Collection[Runner]) -> dict[Runner, str]:
    """Return what to compare the others with, and how each is called in the table's head."""
    by_valgrind = {PLAIN_OPTIONS: "options", PLAIN: "defaults"}
    natively = {NATIVE: "native", MALLOC: "malloc", OURS: "--valgrind"}
    bases = by_valgrind if PLAIN_OPTIONS in runners else natively
    return {runner: name for runner, name in bases.items() if runner in runners}


def _least(runs: Sequence[Run]) -> Run:
    """Return the least of each measure: whatever else the machine does only adds to it."""
    ends = dict.fromkeys(run.end for run in runs)
    return Run(
        wall=min(run.wall for run in runs),
        cpu=min(run.cpu for run in runs),
        peak=min(run.peak for run in runs),
        # A run without outcome makes the ratios void.
        counts=min((run.counts for run in runs), key=len),
        end="; or ".join(ends),
    )


def _cells(run: Run, bases: Sequence[Run | None]) -> list[str]:
    cells = [f"{run.wall:.2f}", f"{run.cpu:.2f}", f"{run.peak:.0f}"]
    compared = [_compared(run, base) for base in bases]
    for wall, cpu, peak, _ in compared:
        cells += [wall, cpu, peak]
    return [*cells, compared[0][-1] if compared else "-", run.end]


def _compared(run: Run, base: Run | None) -> tuple[str, str, str, str]:
    """Return the ratios of wall time, CPU time and memory, and the ms of CPU above for each test.

    Dashes if either has no outcome.
    """
    if base is None or not (run.counts and base.counts):
        return "-", "-", "-", "-"
    above = (run.cpu - base.cpu) * 1000 / sum(base.counts.values())
    return (
        f"{run.wall / base.wall:.2f}",
        f"{run.cpu / base.cpu:.2f}",
        f"{run.peak / base.peak:.2f}",
        f"{above:.1f}",
    )


def _why_not(suite: Suite, runner: Runner) -> str:
    if runner is FORMER and suite.former_minutes:
        return f"not run: would take about {suite.former_minutes} minutes"
    return "not run"


class Bench:
    """Measures a suite."""

    def __init__(self, suite: Suite, place: Place, work: Path, asked: argparse.Namespace) -> None:
        self._suite = suite
        self._place = place
        self._asked = asked
        self._runners = [RUNNERS[name] for name in asked.runner or RUNNERS]
        self._results = work / "results" / suite.name
        self._results.mkdir(parents=True, exist_ok=True)
        self._directory = write(suite, work, asked.tests)

    def run(self) -> None:
        """Measure it with every runner asked for, and print the table."""
        self._warm_up()
        runs: dict[Runner, list[Run]] = {runner: [] for runner in self._runners}
        try:
            # Round by round, so that what else the machine does falls on all alike.
            for number in range(1, self._asked.rounds + 1):
                for runner in self._of_round(number):
                    runs[runner].append(self._run(runner, number))
        finally:
            if any(runs.values()):
                lines = [*self._heading(), "", *table(self._suite, runs), ""]
                print(*lines, sep="\n", flush=True)

    def _warm_up(self) -> None:
        """Have the first measured run find its bytecode, as the others do."""
        self._measure(_plain_pytest(self._place), "warm-up", self._asked.timeout)
        if FORMER in self._runners:
            command = _pytest(self._place.former, "--collect-only")
            self._measure(command, "warm-up-former", self._asked.timeout)

    def _of_round(self, number: int) -> Iterator[Runner]:
        for runner in self._runners:
            too_slow = (
                runner is FORMER and self._suite.former_minutes > 0 and not self._asked.runner
            )
            is_once = runner.once or runner.name in self._asked.once
            if not too_slow and (number == 1 or not is_once):
                yield runner

    def _run(self, runner: Runner, number: int) -> Run:
        name = f"{runner.name}-{number}"
        command = runner.command(self._place, self._results / f"{name}.log")
        timeout = self._asked.former_timeout if runner is FORMER else self._asked.timeout
        run = self._measure(command, name, timeout)
        words = f"{run.wall:.2f} s, {run.cpu:.2f} s of CPU, {run.end}"
        print(f"{self._suite.name} {name}: {words}", file=sys.stderr, flush=True)
        return run

    def _measure(self, command: Sequence[str], name: str, timeout: float) -> Run:
        output = self._results / f"{name}.txt"
        return measure([*command, *self._suite.words], self._directory, output, timeout)

    def _heading(self) -> Iterator[str]:
        tests = self._suite.tests
        version = f" {tests.version}" if isinstance(tests, Package) else ""
        yield f"### Suite {self._suite.name}{version}: {self._suite.title}"
        yield ""
        versions = [self._place.versions]
        for name in self._suite.requirements:
            code = f"from importlib.metadata import version; print(version({name!r}))"
            versions.append(f"{name} {_printed(self._place.ours, code)}")
        yield (
            f"{', '.join(versions)}; {os.cpu_count()} cores. Of each measure the least of the "
            "runs; the peak is that of the largest process."
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option("--python", type=Path, default=Path(sys.executable), help="the interpreter to measure")
    option(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir(), "pytest-valgrind-bench"),
        help="where environments and results are kept (default: %(default)s)",
    )
    option("--tests", type=int, default=200, metavar="N", help="tests in a suite (%(default)s)")
    option("--rounds", type=int, default=3, metavar="N", help="runs of each kind (%(default)s)")
    option("--timeout", type=float, default=900, help="seconds for one run (%(default)s)")
    option("--former-timeout", type=float, default=300, help="the same for 0.2.0 (%(default)s)")
    usual = [suite.name for suite in SUITES.values() if not suite.takes_long]
    option("--suite", nargs="+", choices=SUITES, default=usual, help="which suites")
    option(
        "--runner",
        nargs="+",
        choices=RUNNERS,
        help="which ways to run (default: all, but 0.2.0 only for suites where it is fast enough)",
    )
    option(
        "--once",
        nargs="+",
        choices=RUNNERS,
        default=[],
        help="which of these to run in the first round only",
    )
    return parser.parse_args()


def terminate(number: int, _frame: object) -> None:
    """End as with Ctrl-C, so that no run is left behind."""
    # coreutils' timeout sends it twice.
    signal.signal(number, signal.SIG_IGN)
    sys.exit("Terminated.")


def main() -> None:
    """Do what the command line asks for."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, terminate)
    # Not resolved: a virtual environment's interpreter is a link. One directory for each.
    python = asked.python.absolute()
    work = asked.work.absolute() / str(python).strip("/").replace("/", "-")
    work.mkdir(parents=True, exist_ok=True)
    suites = [SUITES[name] for name in asked.suite]
    runners = [RUNNERS[name] for name in asked.runner or RUNNERS]
    place = prepare(python, work, suites, runners)
    print(f"Our options: {shlex.join(place.options)}", file=sys.stderr)
    for suite in suites:
        Bench(suite, place, work, asked).run()


if __name__ == "__main__":
    main()
