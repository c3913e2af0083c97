"""Descriptors that tests leave open, where valgrind tracks them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conftest import HERE

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Origin, Owner
from pytest_valgrind.findings.verdict import Outcome, judge
from pytest_valgrind.items.item_numbers import ItemNumbers
from pytest_valgrind.markers import KnownMark
from pytest_valgrind.memcheck.descriptors import Descriptors
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.parser import Parser
from pytest_valgrind.memcheck.valgrind_info import ValgrindInfo
from pytest_valgrind.reporting import text

PYTHON = (Frame(1, "open", owner=Owner.LIBC), Frame(2, "os_open", owner=Owner.INTERPRETER))


def descriptor(number: int, test: int | None, place: str = "here") -> Finding:
    """Return a descriptor that is open.

    :param test: its number in the stack, None if it has none.
    """
    message = f"Open file descriptor {number}: /dev/null"
    origin = None if test is None else Origin(test)
    raw = f"{message}\nat {place}"
    return Finding(Kind.OPEN_DESCRIPTOR, message, PYTHON, origin=origin, raw=raw)


class Session:
    """Tests that run one after the other, and what is open meanwhile.

    :param numbers: of tests, before they begin again.
    """

    def __init__(self, numbers: int = 64) -> None:
        self.open: list[Finding] = []
        monitor: Any = SimpleNamespace(descriptors=lambda: list(self.open))
        self.item_numbers = ItemNumbers(numbers)
        self.descriptors = Descriptors(monitor, self.item_numbers)

    def run(self, *tests: str) -> None:
        """Run tests."""
        for test in tests:
            self.descriptors.test_ran(self.item_numbers.enter(test), test)

    @property
    def left(self) -> list[tuple[str, str]]:
        """What is open in the end."""
        return [(test, found.message) for test, found in self.descriptors.left_open()]


@pytest.mark.parametrize("version", ["3.19", "3.24", "3.27"])
def test_list_of_each_valgrind(version: str) -> None:
    """Each descriptor has the stack of its opening; inherited ones are left out."""
    lines = list(read_lines(read_to_end(HERE / "logs" / f"{version}-descriptors.log")))
    own = [line for line in lines if line.pid == lines[0].pid]
    found = list(Parser().descriptors(own))
    assert len(found) == 6
    assert {frame.function for one in found for frame in one.stack} >= {"forget_descriptors"}
    assert all(one.raw.startswith("Open ") for one in found)
    assert sum("AF_INET socket" in one.message for one in found) == 1
    # A program may close them later, or need not.
    assert not [one for one in Parser().findings(own) if one.kind is Kind.OPEN_DESCRIPTOR]


def test_test_that_opened_it() -> None:
    """The number in the stack tells it, and a stack without one is no test's."""
    session = Session()
    session.run("a", "b")
    session.open = [descriptor(3, None), descriptor(4, 1), descriptor(5, 0)]
    assert [test for test, _ in session.left] == ["b", "a"]


def test_descriptor_of_a_shared_fixture() -> None:
    """The fixture is named, and the test in which it was set up."""
    session = Session()
    place = session.item_numbers.enter("a")
    session.item_numbers.enter("the setup of fixture shared")
    session.descriptors.test_ran(place, "a")
    session.open = [descriptor(3, 1)]
    ((test, found),) = session.descriptors.left_open()
    assert (test, found.fixture) == ("a", "the setup of fixture shared")


def test_numbers_that_begin_again() -> None:
    """A descriptor stays with its test."""
    session = Session(numbers=4)
    session.run("a")
    session.open.append(descriptor(3, 0))
    session.run("b", "c", "d", "e", "f")
    session.open.append(descriptor(4, 1, "there"))
    assert session.left == [
        ("a", "Open file descriptor 3: /dev/null"),
        ("f", "Open file descriptor 4: /dev/null"),
    ]


def test_descriptor_of_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it keeps for the life of the process was left open by no test."""
    module: Any = ModuleType("multiprocessing.resource_tracker")
    module._resource_tracker = SimpleNamespace(_fd=7)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    session = Session()
    session.run("a")
    session.open = [descriptor(7, 0)]
    assert session.left == []


def test_known_error() -> None:
    """The marker covers them."""
    marks: Mapping[str, KnownMark] = {
        "valgrind_known_error": KnownMark("valgrind_known_error", "issue 7")
    }
    assert judge([descriptor(3, 0)], marks.get).outcome is Outcome.KNOWN


def test_words() -> None:
    """They say what it is, where only the interpreter opened it, and how many there are."""
    found = descriptor(3, 0)
    assert text.one_line([found]) == "open descriptor: file descriptor 3: /dev/null"
    assert text.total_line([found, descriptor(4, 0)]) == "2 open descriptors"


@pytest.mark.parametrize("kind", [Kind.OPEN_DESCRIPTOR, Kind.DESCRIPTOR])
def test_descriptors_of_python(kind: Kind) -> None:
    """They are no interpreter noise: the tests have it open and close them."""
    assert not Finding(kind, "", PYTHON).is_interpreter_noise


@pytest.mark.parametrize(
    ("option", "is_tracked", "keeps_log"),
    [
        ("--track-fds=yes", True, True),
        ("--track-fds=all", True, True),
        ("--track-fds=no", False, False),
        ("--trace-syscalls=yes", False, True),
        ("--leak-check=full", False, True),
        ("-v", False, True),
        ("--stats=yes", False, True),
        ("--num-callers=50", False, False),
        ("--trace-children=yes", False, False),
        ("--track-origins=yes", False, False),
    ],
)
def test_options(
    monkeypatch: pytest.MonkeyPatch, option: str, is_tracked: bool, keeps_log: bool
) -> None:
    """Some fill the log with what stands nowhere else."""
    monkeypatch.setattr(
        "pytest_valgrind.memcheck.valgrind_info.options_from_elsewhere", lambda: iter(())
    )
    info = ValgrindInfo(
        "3.19", "valgrind", ("--leak-check=no", "--show-error-list=yes", option), None
    )
    assert (info.tracks_descriptors, info.says_more) == (is_tracked, keeps_log)
