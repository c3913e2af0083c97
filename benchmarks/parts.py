"""What the parts of a run cost, one by one, with nothing but pytest loaded.

    python benchmarks/parts.py [--log-size BYTES]

Prints a Markdown table: seconds of processor time under valgrind, the least of some rounds. The
last row is native: the parser on a log that is made of those in tests/logs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.parser import Parser

LOG = Path(__file__).parent.parent / "tests" / "logs" / "3.19-plain.log"
OPTIONS = ("--num-callers=50", "--error-limit=no", "--leak-check=no", "--vgdb=no")
CALLERS = (12, 50, 100, 500)
TESTS = 200

#: Runs under valgrind, and prints seconds by part.
PROBE = """
import gc, json, os, resource, sys, time
import pytest, _pytest.config, _pytest.terminal, _pytest.python, _pytest.junitxml

def least(work, rounds=5):
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)

start = time.process_time()
import pytest_valgrind.session.checker, pytest_valgrind.settings
found = {"the import of our modules": time.process_time() - start}
from pytest_valgrind import client

def in_clone(untracks):
    def seconds():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before = seconds()
    clone(untracks)
    return seconds() - before

def clone(untracks=False):
    os.waitpid(client.clone(0, False, untracks, None, None, b"", 0), -0x80000000)

client.change_option("--show-leak-kinds=definite")
found["a garbage collection of everything"] = least(gc.collect)
found["a leak check"] = least(client.leak_check)
found["making a clone, without what it does itself"] = least(clone)
found["a leak check in a clone"] = min(in_clone(False) for _ in range(5))
found["the same, with lost references"] = min(in_clone(True) for _ in range(5))
gc.freeze()
found["a garbage collection, all else frozen"] = least(gc.collect)
sys.stdout.write(json.dumps(found))
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--log-size", type=int, default=1 << 30, metavar="BYTES")
    arguments = parser.parse_args()
    rows = [(part, f"{seconds:.4f}") for part, seconds in parts().items()]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_suite(directory)
        for callers in CALLERS:
            seconds = trivial_tests(directory, callers)
            rows.append(
                (f"{TESTS} trivial tests, plain valgrind, {callers} callers", f"{seconds:.1f}")
            )
        rows.append(log_of_size(directory / "big.log", arguments.log_size))
    print(f"CPython {platform.python_version()}, {valgrind_version()}\n")
    print("| part | seconds |", "|---|---:|", sep="\n")
    for part, seconds_and_more in rows:
        print(f"| {part} | {seconds_and_more} |")


def parts() -> dict[str, float]:
    """Return seconds by part."""
    command = ["valgrind", *OPTIONS, f"--log-file={os.devnull}", sys.executable, "-c", PROBE]
    output = subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    found: dict[str, float] = json.loads(output)
    return found


def write_suite(directory: Path) -> None:
    """Write tests that do next to nothing."""
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_trivial.py").write_text(
        "import pytest\n"
        f"@pytest.mark.parametrize('number', range({TESTS}))\n"
        "def test_trivial(number):\n"
        "    assert number >= 0\n"
    )


def trivial_tests(directory: Path, callers: int) -> float:
    """Return the seconds of the suite, with so many callers."""
    options = [*OPTIONS, f"--num-callers={callers}", f"--log-file={os.devnull}"]
    command = ["valgrind", *options, sys.executable, "-m", "pytest", "-q"]
    # Other people's plugins are none of our parts.
    command += ["-p", "no:cacheprovider", "-p", "no:valgrind"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        command,
        cwd=directory,
        env={**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def log_of_size(path: Path, size: int) -> tuple[str, str]:
    """Return a row: how long it takes to parse a log, and the most memory of this process."""
    text = LOG.read_bytes()
    with path.open("wb") as file:
        for _ in range(size // len(text) + 1):
            file.write(text)
    start = time.process_time()
    count = sum(1 for _ in Parser().findings(read_lines(read_to_end(path))))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    part = f"parsing a log of {path.stat().st_size / 1e9:.2f} GB with {count:,} findings, natively"
    return part, f"{seconds:.0f}, with {peak} MB of memory"


def environment() -> dict[str, str]:
    """Return the environment for valgrind."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONMALLOC": "malloc"}


def valgrind_version() -> str:
    """Return what valgrind says about itself."""
    command = ["valgrind", "--version"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
