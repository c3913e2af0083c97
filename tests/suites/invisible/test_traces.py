"""What a test may see of a clone that checks for leaks meanwhile: nothing."""

from __future__ import annotations

import fcntl
import gc
import io
import multiprocessing
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import defective
import pytest

PATIENCE = 20  # seconds


def children() -> dict[int, str]:
    """Return the children of this process, and their states (proc(5))."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # has ended
            continue
        if int(parent) == os.getpid():
            found[int(entry.parent.name)] = state
    return found


def wait_for_the_end_of_a_clone() -> None:
    """Wait until one has ended; it is there until the next test."""
    end = time.monotonic() + PATIENCE
    while "Z" not in children().values():
        assert time.monotonic() < end, "no clone has ended"
        time.sleep(0.05)


def open_descriptors() -> set[str]:
    """Return those of this process."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture(scope="module")
def pipe() -> Iterator[tuple[int, int]]:
    """Make a pipe before there is a clone to inherit it."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


@pytest.fixture(scope="module")
def listening() -> socket.socket:
    """Listen at a port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


@pytest.fixture(scope="module")
def numbers() -> Iterator[io.BufferedReader]:
    """Open a file and read half of it."""
    Path("numbers").write_bytes(b"0123456789" * 1000)
    with Path("numbers").open("rb") as file:
        assert len(file.read(5000)) == 5000
        yield file


@pytest.fixture(scope="module")
def locked() -> Iterator[Path]:
    """Lock a file."""
    path = Path("locked")
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


@pytest.fixture(scope="module")
def buffered() -> Iterator[Path]:
    """Write what stays in a buffer."""
    path = Path("buffered")
    with path.open("w") as file:
        file.write("once\n")
        yield path


@pytest.fixture(scope="module")
def echo() -> Iterator[queue.Queue[int]]:
    """Start a thread that goes on from test to test."""
    questions: queue.Queue[int] = queue.Queue()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(answer, questions)
        yield questions
        questions.put(0)


answers: queue.Queue[int] = queue.Queue()


def answer(questions: queue.Queue[int]) -> None:
    """Answer until the question is 0."""
    for number in iter(questions.get, 0):
        answers.put(number)


descriptors: set[str] = set()


@pytest.mark.usefixtures("pipe", "listening", "numbers", "locked", "buffered")
def test_all_begins(echo: queue.Queue[int]) -> None:
    """The fixtures are there."""
    echo.put(1)
    assert answers.get(timeout=PATIENCE) == 1
    descriptors.update(open_descriptors())
    gc.disable()
    gc.set_threshold(123, 4, 5)


def test_a_clone_is_there() -> None:
    """Else the other tests would say nothing."""
    assert children()


def test_collector_is_left_alone() -> None:
    """As the first test left it."""
    assert not gc.isenabled()
    assert gc.get_threshold()[:2] == (123, 4)
    gc.enable()
    gc.set_threshold(700, 10, 10)


def test_no_more_descriptors() -> None:
    """Checks leave none open."""
    assert open_descriptors() == descriptors


def test_wait_sees_no_child() -> None:
    """Nor does waitpid for any."""
    assert children()
    with pytest.raises(ChildProcessError):
        os.wait()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_wait_sees_own_children() -> None:
    """As ever."""
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    assert os.wait() == (pid, 7 << 8)


def test_no_signal_when_a_clone_ends() -> None:
    """SIGCHLD is for children of the test itself."""
    received = []
    before = signal.signal(signal.SIGCHLD, lambda number, _frame: received.append(number))
    try:
        wait_for_the_end_of_a_clone()
        assert received == []
        subprocess.run([sys.executable, "-c", ""], check=True)
        assert received == [signal.SIGCHLD]
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_reader_of_a_pipe_sees_its_end(pipe: tuple[int, int]) -> None:
    """As soon as the writer is closed, here."""
    assert children()
    reader, writer = pipe
    os.set_blocking(reader, False)
    os.close(writer)
    assert os.read(reader, 1) == b""


def test_port_can_be_bound_again(listening: socket.socket) -> None:
    """As soon as it is closed, here."""
    assert children()
    address = listening.getsockname()
    listening.close()
    with socket.socket() as again:
        again.bind(address)


def test_file_is_where_it_was(numbers: io.BufferedReader) -> None:
    """Its offset is shared with clones."""
    wait_for_the_end_of_a_clone()
    assert len(numbers.read()) == 5000


def test_lock_is_kept(locked: Path) -> None:
    """It would go with the last descriptor."""
    wait_for_the_end_of_a_clone()
    with locked.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_buffer_is_written_by_nobody_else(buffered: Path) -> None:
    """A clone does not flush."""
    wait_for_the_end_of_a_clone()
    assert buffered.read_text() == ""


def test_nothing_runs_at_the_end_of_a_clone() -> None:
    """Neither atexit's handlers nor finalisers."""
    wait_for_the_end_of_a_clone()
    assert not Path("exits").exists()


def test_thread_goes_on(echo: queue.Queue[int]) -> None:
    """One that was started before."""
    assert children()
    echo.put(2)
    assert answers.get(timeout=PATIENCE) == 2


def test_new_threads() -> None:
    """Python's and native ones."""
    thread = threading.Thread(target=answers.put, args=(3,))
    thread.start()
    thread.join()
    assert answers.get(timeout=PATIENCE) == 3
    defective.run_thread()


def test_fork_and_multiprocessing() -> None:
    """Their children are told from clones."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=os.getpid)
    process.start()
    process.join()
    assert process.exitcode == 0
    with context.Pool(1) as pool:
        assert pool.apply(abs, (-4,)) == 4


def test_subprocess() -> None:
    """Its output and its exit code."""
    done = subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"5\n")


def test_no_signal_is_taken() -> None:
    """Where there are no timeouts."""
    real_time = range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
    # Valgrind shows the one that it has for itself as ignored.
    handlers = {signal.getsignal(number) for number in real_time}
    assert handlers <= {signal.SIG_DFL, signal.SIG_IGN}


def test_signal_handler_runs_here_only() -> None:
    """A clone has all signals blocked, and no timers."""
    received = []
    before = signal.signal(signal.SIGALRM, lambda *_: received.append(os.getpid()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        time.sleep(1)
        os.killpg(os.getpgid(0), signal.SIGURG)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert received == [os.getpid()]
