"""What watching a suite costs: natively, under plain valgrind, with 0.2.0 and with this plugin.

    python benchmarks/bench.py --python /usr/bin/python3.11 --tests 200 --rounds 3

Prints a Markdown table for each suite; if interrupted, of the rounds that are complete. Virtual
environments, suites, logs and the output of every run are kept in the directory ``--work``. Only
one run is under way at a time.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parent.parent
FORMER = "pytest-valgrind==0.2.0"
# Of the tree, what an installation does not need or what would be stale in it.
_LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "*.so", "__pycache__")
# What the caller's environment may hold that would change a run.
_UNWANTED = ("PYTEST", "PYTHON", "VALGRIND", "LD_PRELOAD")
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|xfailed|xpassed|errors?)\b")


@dataclass(frozen=True)
class Suite:
    """Tests to run."""

    name: str
    #: Writes the files into a directory, for about so many tests.
    write: Callable[[Path, int], None]
    #: What the suite needs from PyPI.
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """What all runs with one interpreter share."""

    ours: Path  #: the interpreter of the environment that has the plugin of this tree
    former: Path  #: and of the one that has 0.2.0
    options: tuple[str, ...]  #: that the launcher gives to valgrind, but for the log
    versions: str  #: of all that takes part


@dataclass(frozen=True)
class Runner:
    """A way to run a suite."""

    name: str
    title: str
    #: The command, given where to put valgrind's log.
    command: Callable[[Place, Path], list[str]]


@dataclass(frozen=True)
class Run:
    """A run's cost, and how it ended."""

    wall: float  #: seconds
    cpu: float  #: seconds, of the command and all that it started
    peak: float  #: MiB, of its largest process
    counts: dict[str, int]  #: tests by outcome
    end: str  #: the outcomes in words, or why there are none

    def seconds(self, measure: str) -> float:
        """Return the wall or the CPU seconds."""
        return self.wall if measure == "wall" else self.cpu


def _write_trivial(directory: Path, tests: int) -> None:
    (directory / "test_trivial.py").write_text(
        "".join(
            f"def test_{number}() -> None:\n    assert {number} + 1 == {number + 1}\n\n\n"
            for number in range(tests)
        )
    )


def _write_leaky(directory: Path, tests: int) -> None:
    # The name is the same in 0.2.0.
    lines = ["from pytest_valgrind.valgrind import create_leak\n\n\n"]
    for number in range(tests):
        body = "create_leak()" if number % 10 == 9 else f"assert {number} + 1 == {number + 1}"
        lines.append(f"def test_{number}() -> None:\n    {body}\n\n\n")
    (directory / "test_leaky.py").write_text("".join(lines))


SUITES = {
    suite.name: suite
    for suite in (
        Suite("trivial", _write_trivial),
        Suite("leaky", _write_leaky),
    )
}


def _pytest(python: Path, *options: str) -> list[str]:
    return [str(python), "-m", "pytest", "-p", "no:cacheprovider", *options]


def _plain_pytest(place: Place) -> list[str]:
    # Installed, as suites may call it, but not loaded as a plugin.
    return _pytest(place.ours, "-p", "no:valgrind")


def _under_valgrind(options: Iterable[str], log: Path, command: Iterable[str]) -> list[str]:
    return ["env", "PYTHONMALLOC=malloc", "valgrind", *options, f"--log-file={log}", *command]


def _native(place: Place, _log: Path) -> list[str]:
    return _plain_pytest(place)


def _plain(place: Place, log: Path) -> list[str]:
    return _under_valgrind((), log, _plain_pytest(place))


def _plain_with_our_options(place: Place, log: Path) -> list[str]:
    return _under_valgrind(place.options, log, _plain_pytest(place))


def _former(place: Place, log: Path) -> list[str]:
    pytest = _pytest(place.former, "--valgrind", f"--valgrind-log={log}")
    return _under_valgrind(["--show-leak-kinds=definite"], log, pytest)


def _ours(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind")


def _ours_without_leaks(place: Place, _log: Path) -> list[str]:
    return _pytest(place.ours, "--valgrind", "--no-memcheck")


PLAIN = Runner("plain", "valgrind, its defaults", _plain)
PLAIN_OPTIONS = Runner("options", "valgrind, our options", _plain_with_our_options)
RUNNERS = {
    runner.name: runner
    for runner in (
        Runner("native", "natively", _native),
        PLAIN,
        PLAIN_OPTIONS,
        Runner("former", "pytest-valgrind 0.2.0", _former),
        Runner("ours", "`pytest --valgrind`", _ours),
        Runner("ours-no-memcheck", "`pytest --valgrind --no-memcheck`", _ours_without_leaks),
    )
}


def prepare(python: Path, work: Path, requirements: Iterable[str]) -> Place:
    """Make or update the virtual environments, and learn the launcher's options."""
    source = work / "source"
    shutil.rmtree(source, ignore_errors=True)
    commit = _output(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]).strip()
    # A copy, as a build would write into the tree.
    shutil.copytree(REPOSITORY, source, ignore=_LEFT_OUT)
    ours = _environment(python, work / "ours", [str(source), *requirements])
    # The same pytest in both, whenever each was made.
    pytest = _printed(ours, "import pytest; print(pytest.__version__)")
    former = _environment(python, work / "former", [f"pytest=={pytest}", FORMER, *requirements])
    version = _printed(ours, "import platform; print(platform.python_version())")
    valgrind = _output(["valgrind", "--version"]).strip()
    versions = f"Python {version} ({python}), pytest {pytest}, {valgrind}, this plugin at {commit}"
    return Place(ours, former, _launcher_options(ours, work), versions)


def _environment(python: Path, directory: Path, requirements: Iterable[str]) -> Path:
    inside = directory / "bin" / "python"
    if not inside.exists():
        _output([str(python), "-m", "venv", str(directory)])
    _output([str(inside), "-m", "pip", "install", "-q", *requirements])
    return inside


def _printed(python: Path, code: str) -> str:
    return _output([str(python), "-c", code]).strip()


def _launcher_options(python: Path, work: Path) -> tuple[str, ...]:
    """Return the options that a run's header names."""
    with tempfile.TemporaryDirectory(dir=work) as directory:
        Path(directory, "pytest.ini").write_text("[pytest]\n")
        Path(directory, "test_one.py").write_text("def test() -> None:\n    pass\n")
        output = _output([*_pytest(python, "--valgrind"), directory])
    header = re.search(r"^valgrind: options (.+)$", output, re.MULTILINE)
    if header is None:
        sys.exit(f"A run names no options of valgrind's:\n{output}")
    return tuple(
        option for option in shlex.split(header[1]) if not option.startswith("--log-file=")
    )


def _output(command: Sequence[str]) -> str:
    """Run something that is not measured, and return what it prints.

    :raises SystemExit: if it fails.
    """
    done = subprocess.run(
        command, capture_output=True, text=True, env=_clean_environment(), check=False
    )
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_UNWANTED)}


def write(suite: Suite, directory: Path, tests: int) -> None:
    """Write a suite anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    # Keeps pytest from looking for a configuration further up.
    (directory / "pytest.ini").write_text("[pytest]\n")
    suite.write(directory, tests)


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


def table(runs: dict[Runner, list[Run]], by: str) -> Iterator[str]:
    """Return the lines of a table, a row for each runner.

    :param by: what is compared, ``cpu`` or ``wall``.
    """
    yield (
        "| | wall s (least-most) | CPU s | peak MiB | x defaults | x options "
        "| ms/test above defaults | above options | tests |"
    )
    yield "|---" + "|---:" * 7 + "|---|"
    medians = {runner: _middle(of_runner) for runner, of_runner in runs.items()}
    bases = [medians.get(PLAIN), medians.get(PLAIN_OPTIONS)]
    for runner, of_runner in runs.items():
        run = medians[runner]
        walls = [each.wall for each in of_runner]
        cells = [
            runner.title,
            f"{run.wall:.2f} ({min(walls):.2f}-{max(walls):.2f})",
            f"{run.cpu:.2f}",
            f"{run.peak:.0f}",
            *(_ratio(run, base, by) for base in bases),
            *(_per_test(run, base, by) for base in bases),
            run.end,
        ]
        yield f"| {' | '.join(cells)} |"


def _middle(runs: Sequence[Run]) -> Run:
    """Return the median of each measure."""
    ends = dict.fromkeys(run.end for run in runs)
    return Run(
        wall=median(run.wall for run in runs),
        cpu=median(run.cpu for run in runs),
        peak=median(run.peak for run in runs),
        # A run without outcome makes the ratios void.
        counts=min((run.counts for run in runs), key=len),
        end="; or ".join(ends),
    )


def _ratio(run: Run, base: Run | None, by: str) -> str:
    if base is None or not (run.counts and base.counts):
        return "-"
    return f"{run.seconds(by) / base.seconds(by):.2f}"


def _per_test(run: Run, base: Run | None, by: str) -> str:
    if base is None or not (run.counts and base.counts):
        return "-"
    above = run.seconds(by) - base.seconds(by)
    return f"{above * 1000 / sum(run.counts.values()):.1f}"


def bench(suite: Suite, place: Place, work: Path, asked: argparse.Namespace) -> None:
    """Measure a suite with every runner asked for, and print the table."""
    directory = work / "suites" / suite.name
    results = work / "results" / suite.name
    write(suite, directory, asked.tests)
    results.mkdir(parents=True, exist_ok=True)
    # So that the first measured run finds its bytecode, as the others do.
    measure(_plain_pytest(place), directory, results / "warm-up.txt", asked.timeout)
    rounds: list[dict[Runner, Run]] = []
    try:
        # Round by round, so that what else the machine does falls on all alike.
        for number in range(1, asked.rounds + 1):
            rounds.append(_round(number, place, directory, results, asked))
    finally:
        if rounds:
            runs = {runner: [each[runner] for each in rounds] for runner in rounds[0]}
            print(
                f"### Suite {suite.name}: {place.versions}; {os.cpu_count()} cores, "
                f"N = {asked.tests}, medians of {len(rounds)} rounds, "
                f"compared by {asked.by} seconds",
                "",
                *table(runs, asked.by),
                "",
                sep="\n",
                flush=True,
            )


def _round(
    number: int, place: Place, directory: Path, results: Path, asked: argparse.Namespace
) -> dict[Runner, Run]:
    runs: dict[Runner, Run] = {}
    for runner in (RUNNERS[name] for name in asked.runner):
        name = f"{runner.name}-{number}"
        command = runner.command(place, results / f"{name}.log")
        run = measure(command, directory, results / f"{name}.txt", asked.timeout)
        runs[runner] = run
        words = f"{run.wall:.2f} s, {run.cpu:.2f} s of CPU, {run.end}"
        print(f"{results.name} {name}: {words}", file=sys.stderr, flush=True)
    return runs


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
    # Other processes on the machine lengthen the wall time, and the work has one thread.
    option("--by", choices=("cpu", "wall"), default="cpu", help="what to compare (%(default)s)")
    option("--timeout", type=float, default=900, help="seconds for one run (%(default)s)")
    option("--suite", nargs="+", choices=SUITES, default=list(SUITES), help="which suites")
    option("--runner", nargs="+", choices=RUNNERS, default=list(RUNNERS), help="which ways to run")
    return parser.parse_args()


def _terminate(number: int, _frame: object) -> None:
    """End as with Ctrl-C, so that no run is left behind."""
    # coreutils' timeout sends it twice.
    signal.signal(number, signal.SIG_IGN)
    sys.exit("Terminated.")


def main() -> None:
    """Do what the command line asks for."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, _terminate)
    # Not resolved: a virtual environment's interpreter is a link. One directory for each.
    python = asked.python.absolute()
    work = asked.work.absolute() / str(python).strip("/").replace("/", "-")
    work.mkdir(parents=True, exist_ok=True)
    suites = [SUITES[name] for name in asked.suite]
    place = prepare(python, work, [word for suite in suites for word in suite.requirements])
    print(f"Our options: {shlex.join(place.options)}", file=sys.stderr)
    for suite in suites:
        bench(suite, place, work, asked)


if __name__ == "__main__":
    main()
