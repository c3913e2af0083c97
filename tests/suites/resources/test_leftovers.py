"""Tests that leave things, and tests that leave nothing: the names say which."""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

kept: list[object] = []
files: list[IO[str]] = []
#: Ends the threads that tests leave, at the end of the module.
over = threading.Event()


@pytest.fixture(autouse=True, scope="module")
def _end_threads() -> Iterator[None]:
    yield
    over.set()


def opened(path: Path) -> IO[str]:
    return path.open("w")


def test_file(tmp_path: Path) -> None:
    files.append(opened(tmp_path / "left.txt"))


def test_file_closed(tmp_path: Path) -> None:
    opened(tmp_path / "closed.txt").close()


def test_one_closed_and_one_opened(tmp_path: Path) -> None:
    """The number of open descriptors is as before, and the number of the new one as well."""
    number = files[0].fileno()
    files[0].close()
    files[0] = opened(tmp_path / "another.txt")
    assert files[0].fileno() == number


def test_pipe() -> None:
    kept.extend(os.pipe())


def test_socket() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    kept.append(listener)


def test_accepted_socket() -> None:
    with socket.socket() as listener, socket.socket() as caller:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        caller.connect(listener.getsockname())
        kept.append(listener.accept()[0])


def test_thread() -> None:
    thread = threading.Thread(target=over.wait, name="worker", daemon=True)
    thread.start()
    kept.append(thread)


def test_thread_joined() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def test_child() -> None:
    kept.append(subprocess.Popen(["sleep", "20"]))


def test_child_not_waited_for() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)


def test_child_waited_for() -> None:
    subprocess.run(["true"], check=True)


def test_temporary_file() -> None:
    descriptor, _ = tempfile.mkstemp()
    os.close(descriptor)


def test_temporary_directory() -> None:
    tempfile.mkdtemp()


def test_temporary_files_removed() -> None:
    with tempfile.TemporaryDirectory() as directory, tempfile.NamedTemporaryFile(dir=directory):
        pass


def test_shared_memory() -> None:
    kept.append(mmap.mmap(-1, 3 * mmap.PAGESIZE))


def test_shared_memory_closed() -> None:
    mmap.mmap(-1, 3 * mmap.PAGESIZE).close()


def test_waits_for_the_collector(tmp_path: Path) -> None:
    """The file is in a cycle, and closed when that is collected."""
    cycle: list[object] = [opened(tmp_path / "cycle.txt")]
    cycle.append(cycle)


@pytest.fixture(scope="module")
def file_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IO[str]]:
    """Open a file, and leave another open."""
    directory = tmp_path_factory.mktemp("module")
    kept.append(opened(directory / "left by fixture.txt"))
    with opened(directory / "of module.txt") as file:
        yield file


@pytest.fixture(scope="session")
def file_of_session(tmp_path_factory: pytest.TempPathFactory) -> IO[str]:
    """Open a file and never close it."""
    file = opened(tmp_path_factory.mktemp("session") / "of session.txt")
    kept.append(file)
    return file


def test_first_with_fixtures(file_of_module: IO[str], file_of_session: IO[str]) -> None:
    assert not (file_of_module.closed or file_of_session.closed)


def test_second_with_fixtures(file_of_module: IO[str]) -> None:
    assert not file_of_module.closed


@pytest.fixture
def file_left_by_fixture(tmp_path: Path) -> None:
    kept.append(opened(tmp_path / "left by its fixture.txt"))


def test_with_its_own_fixture(file_left_by_fixture: None) -> None:
    pass


def test_output(capfd: pytest.CaptureFixture[str]) -> None:
    print("heard")
    assert capfd.readouterr().out == "heard\n"


@pytest.mark.allow_leftover("fds", reason="on purpose")
def test_allowed(tmp_path: Path) -> None:
    kept.append(opened(tmp_path / "allowed.txt"))


@pytest.mark.allow_leftover("threads", reason="not what it leaves")
def test_allowed_another(tmp_path: Path) -> None:
    kept.append(opened(tmp_path / "not allowed.txt"))


def test_fails(tmp_path: Path) -> None:
    file = opened(tmp_path / "of failed.txt")
    assert file.closed


def test_skipped() -> None:
    pytest.skip("nothing to do")


class TestCase(unittest.TestCase):
    """Of the standard library."""

    def test_of_unittest(self) -> None:
        kept.append(open(sys.executable, "rb"))  # noqa: PTH123, SIM115


def test_last() -> None:
    pass
