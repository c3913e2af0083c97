"""What there is of each kind of resource, and the comparison before and after a test."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Hashable, Sequence
from pathlib import Path

import pytest

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner, Stack
from pytest_valgrind.option_types import RESOURCE_KINDS, Names
from pytest_valgrind.reporting.text import one_line, total_line
from pytest_valgrind.resources.child_processes import ChildProcesses
from pytest_valgrind.resources.descriptors import Descriptors
from pytest_valgrind.resources.leftovers import finding, packed, unpacked
from pytest_valgrind.resources.openings import Opening, Openings
from pytest_valgrind.resources.temporary_files import TemporaryFiles
from pytest_valgrind.resources.threads import NativeThreads, Threads
from pytest_valgrind.resources.watch import Watch


class Box:
    """A kind of resource that a test fills and empties."""

    kind = Kind.THREAD

    def __init__(self) -> None:
        self.things: set[str] = set()
        #: What ends by itself a moment later.
        self.ending: set[str] = set()

    def read(self) -> frozenset[str]:
        return frozenset(self.things)

    def settled(self, new: frozenset[str]) -> frozenset[str]:
        return new - self.ending

    def describe(self, thing: Hashable) -> str:
        return str(thing)

    def where(self, thing: Hashable, openings: Sequence[Opening]) -> Stack:
        del thing, openings
        return ()


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def watch(box: Box) -> Watch:
    return Watch([box], Openings())


def left(watch: Watch) -> list[tuple[str, str]]:
    return [(one_line([found]), found.fixture) for found in watch.end()]


def test_left(box: Box, watch: Watch) -> None:
    """What was there before is nobody's, and what is left is said once."""
    box.things = {"old"}
    watch.begin()
    box.things = {"old", "new"}
    assert left(watch) == [("running thread: new", "")]
    watch.begin()
    assert left(watch) == []


def test_what_ends_a_moment_later(box: Box, watch: Watch) -> None:
    """It is not left."""
    watch.begin()
    box.things = box.ending = {"new"}
    assert left(watch) == []


def test_one_for_another(box: Box, watch: Watch) -> None:
    """There are as many as before."""
    box.things = {"old"}
    watch.begin()
    box.things = {"new"}
    assert left(watch) == [("running thread: new", "")]


def test_fixture_that_outlives_the_test(box: Box, watch: Watch) -> None:
    """What it has opened is its own until it is over, and then reported with its name."""
    is_over = False
    watch.begin()
    with watch.phase("the setup of fixture db", lambda: is_over):
        box.things = {"of fixture"}
    assert left(watch) == []
    watch.begin()
    is_over = True
    words = "the setup of fixture db"
    assert left(watch) == [(f"running thread: of fixture, in {words}", words)]
    watch.begin()
    assert left(watch) == []


def test_fixture_that_closes_what_it_has_opened(box: Box, watch: Watch) -> None:
    """Nothing is said, and what is opened later is not taken for it."""
    watch.begin()
    with watch.phase("the setup of fixture db", lambda: True):
        box.things = {"thing"}
    box.things = set()
    assert left(watch) == []
    watch.begin()
    box.things = {"thing"}
    assert left(watch) == [("running thread: thing", "")]


def test_fixture_within_a_fixture(box: Box, watch: Watch) -> None:
    """What the inner one has opened is the inner one's."""
    watch.begin()
    with watch.phase("outer", lambda: True):
        with watch.phase("inner", lambda: True):
            box.things = {"a"}
        box.things = {"a", "b"}
    assert sorted(left(watch)) == [
        ("running thread: a, in inner", "inner"),
        ("running thread: b, in outer", "outer"),
    ]


def test_end_without_a_beginning(watch: Watch) -> None:
    """A plugin may make the report of a test that never ran here."""
    assert left(watch) == []


def test_another_file_at_the_same_number() -> None:
    """It is another descriptor."""
    openings = Openings()
    openings.listen()
    try:
        known = Descriptors(openings)
        number = os.open("/dev/null", os.O_RDONLY)
        before = known.read()
        os.close(number)
        assert os.open("/dev/zero", os.O_RDONLY) == number
        (new,) = known.read() - before
        assert known.describe(new) == f"file descriptor {number}: /dev/zero"
        os.close(number)
    finally:
        openings.stop()


def test_reading_does_not_read_itself() -> None:
    """The descriptor of the listing is not among them."""
    known = Descriptors(Openings())
    before = known.read()
    number = os.dup(0)
    assert [new.fd for new in known.read() - before] == [number]
    os.close(number)
    assert known.read() == before


def test_as_many_as_before() -> None:
    """One was closed and another is open, of which no event tells."""
    known = Descriptors(Openings())
    closed = os.dup(0)
    before = known.read()
    assert known.read() is before
    opened = fcntl.fcntl(0, fcntl.F_DUPFD, closed + 1)
    os.close(closed)
    assert [new.fd for new in known.read() - before] == [opened]
    os.close(opened)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (socket.AF_INET, "AF_INET SOCK_STREAM socket {}: 0.0.0.0:0"),
        (socket.AF_UNIX, "AF_UNIX SOCK_STREAM socket {}: unnamed"),
    ],
)
def test_socket(family: socket.AddressFamily, words: str) -> None:
    """It is named by its addresses, and stays open."""
    known = Descriptors()
    before = known.read()
    with socket.socket(family) as made:
        (new,) = known.read() - before
        assert known.describe(new) == words.format(made.fileno())
        made.getsockname()


def test_thread_that_ends() -> None:
    """One that was joined is gone."""
    known = Threads()
    before = known.read()
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="worker")
    thread.start()
    new = known.read() - before
    assert known.describe(thread) == "worker, which runs Event.wait"
    assert new == {thread}
    over.set()
    assert known.settled(new) == frozenset()


def test_threads_of_python_are_no_native_ones() -> None:
    """They have a number in the kernel as well."""
    known = NativeThreads()
    before = known.read()
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    assert known.settled(known.read() - before) == frozenset()
    over.set()
    thread.join()


def test_children() -> None:
    """One that has ended is left until somebody waits for it."""
    known = ChildProcesses()
    before = known.read()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        # Until it answers, the kernel may not have its new command line yet (execve(2)).
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        (new,) = known.read() - before
        assert new.pid == child.pid
        assert known.describe(new) == f"number {child.pid}, cat"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert known.describe(new).endswith("which has ended and was not waited for")
    assert new not in known.read()


def test_temporary_file_and_where_it_was_made() -> None:
    """The stack has no functions of the standard library, nor of pytest."""
    openings = Openings()
    openings.listen()
    try:
        known = TemporaryFiles(openings)
        with tempfile.NamedTemporaryFile() as file:
            (path,) = known.read()
            assert path == file.name
            (frame,) = known.where(path, openings.noted)
        assert frame.function.endswith("test_temporary_file_and_where_it_was_made")
        assert frame.file == "test_resource_kinds.py"
        assert known.read() == frozenset()
    finally:
        openings.stop()


def test_nothing_is_noted_when_nobody_listens() -> None:
    """The hook cannot be taken out."""
    openings = Openings()
    openings.listen()
    openings.stop()
    with tempfile.TemporaryFile():
        pass
    assert not openings.noted


STACK = (
    Frame(4096, "c_map", "map.c", 7, "/lib/map.so", Owner.EXTENSION),
    Frame(0, "test_it", "test_it.py", 3, owner=Owner.PYTHON, path="/test_it.py"),
)


def test_report_carries_findings() -> None:
    """They are plain values on the way from a worker."""
    found = [
        finding(Kind.OPEN_DESCRIPTOR, "file descriptor 7: /x", STACK),
        finding(Kind.MAPPING, "4,096 bytes of memory", STACK, "the setup of fixture db"),
    ]
    assert unpacked(packed(found)) == found


def test_words() -> None:
    """A descriptor is called as valgrind calls it, the others after their kinds."""
    left = finding(Kind.OPEN_DESCRIPTOR, "file descriptor 7: /x", ())
    assert left.message == "Open file descriptor 7: /x"
    assert one_line([left]) == "open descriptor: file descriptor 7: /x"
    left = finding(Kind.CHILD_PROCESS, "number 3, sleep 20", STACK)
    assert left.message == "Child process: number 3, sleep 20"
    assert one_line([left]) == "child process: number 3, sleep 20, c_map (map.c:7)"
    assert total_line([left, left]) == "2 child processes"


def test_names_of_the_option() -> None:
    """They may stand in any order."""
    names = Names(*RESOURCE_KINDS)
    assert names.read("threads, fds", Path()) == ("fds", "threads")
    assert names.read("all", Path()) == RESOURCE_KINDS
    assert names.read("", Path()) == ()
    assert names.decode(names.encode(("fds",))) == ("fds",)
    assert names.decode(None) is None
