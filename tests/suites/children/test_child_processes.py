"""Processes that tests start and fork; what is wrong with each is in its name."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import defective
import pytest

PROGRAM = str(Path(defective.__file__).with_name("program"))


def start(*words: str) -> None:
    """Run the C program."""
    subprocess.run([PROGRAM, *words], check=True)


def start_python(code: str, **options: object) -> None:
    """Run an interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True, **options)  # type: ignore[call-overload]


def fork(*names: str) -> int:
    """Call functions in a fork; return its exit status."""
    pid = os.fork()
    if pid == 0:
        for name in names:
            getattr(defective, name)()
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def work(how: str, name: str) -> None:
    """Call a function in a worker."""
    contexts = {"fork": multiprocessing.get_context("fork")}
    context = contexts.get(how) or multiprocessing.get_context("spawn")
    process = context.Process(target=getattr(defective, name))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_python_clean() -> None:
    start_python("import defective, json, re, threading, ctypes; defective.keep()")


def test_python_error() -> None:
    start_python("import defective; defective.read_past_end(); defective.read_past_end()")


def test_python_uninitialised() -> None:
    start_python("import defective; defective.decide_uninitialised()")


def test_python_leak() -> None:
    start_python("import defective; defective.leak(41)")


def test_python_leaked_reference() -> None:
    start_python("import defective; [defective.leak_reference(str(n) * 300) for n in range(9)]")


def test_python_exits_at_once() -> None:
    start_python("import os, defective; defective.leak(42); os._exit(0)")


def test_python_without_environment() -> None:
    path = os.environ["PYTHONPATH"]
    start_python("import defective; defective.write_after_free()", env={"PYTHONPATH": path})


def test_program_clean() -> None:
    start()


def test_program_error_and_leak() -> None:
    start("read_past_end", "leak")


def test_program_crash() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        start("crash")


def test_program_of_shell() -> None:
    subprocess.run(f"true; {PROGRAM} leak | cat", shell=True, check=True)


def test_system_clean() -> None:
    assert os.system("ls / | sort | head -n 1 > /dev/null") == 0
    with pytest.raises(FileNotFoundError):
        subprocess.run(["there-is-no-such-program"], check=True)


def test_terminated_clean() -> None:
    code = "import time; print('ready', flush=True); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
    assert process.returncode == -signal.SIGTERM


def test_valgrind_of_its_own() -> None:
    command = ["valgrind", "-q", "--error-exitcode=7", PROGRAM]
    assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run([*command, "read_past_end"], check=False).returncode == 7


def test_fork_clean() -> None:
    assert fork() == 0


def test_error() -> None:
    defective.read_past_end()


def test_fork_error() -> None:
    assert fork("write_after_free") == 0


def test_fork_error_of_parent() -> None:
    assert fork("read_past_end", "read_past_end") == 0


def test_fork_after_error_clean() -> None:
    assert fork() == 0


def test_fork_leak() -> None:
    assert fork("leak") == 0


def test_fork_crash() -> None:
    assert fork("crash") == signal.SIGSEGV


def test_fork_of_fork() -> None:
    pid = os.fork()
    if pid == 0:
        fork("leak_deep")
        os._exit(0)
    os.waitpid(pid, 0)


def test_grandchild() -> None:
    code = "import defective; defective.leak(43)"
    start_python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])")


def test_worker_fork_error() -> None:
    work("fork", "decide_uninitialised")


def test_worker_fork_leak() -> None:
    work("fork", "leak")


def test_worker_spawn_error() -> None:
    work("spawn", "write_after_free")


def test_workers_clean() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]


@pytest.mark.valgrind_known_error(reason="issue 1")
def test_known_error() -> None:
    start("read_past_end")


@pytest.mark.valgrind_known_leak(reason="issue 2")
def test_known_leak() -> None:
    assert fork("leak") == 0


def test_own_and_child() -> None:
    defective.leak(17)
    start("leak")


def test_clean_at_the_end() -> None:
    """Nothing."""
