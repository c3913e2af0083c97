"""Reports of child processes, as csrc/heap_report.c writes them."""

from __future__ import annotations

from pytest_valgrind.children.reports_of_children import ReportOfChild
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.memcheck.object_files import ObjectFiles

PROGRAM = "program\t41\t/home/me/prog\t/home/me/prog --all\n"
SORT = "program\t41\t/usr/bin/sort\tsort -u\n"
FORK = "fork\t41\n"
PLACE = "7f10\t110\t/home/me/prog\tleak"
LIBC = "7f99\t199\t/lib/x86_64-linux-gnu/libc.so.6\tnewlocale"
LOST = f"lost\t5010\t44\t0\t0\t{PLACE}\n"
KEPT = f"lost\t6010\t6\t5010\t0\t{PLACE}\n"
LOST_BY_LIBC = f"lost\t5010\t44\t0\t0\t{LIBC}\n"
NOWHERE = "0\t0\t\t"
EVENT = f"event\t1\t5010\t10\t12\t2\t0061\t{PLACE}\t{NOWHERE}\n"
CRASH = f"signal\t11\t{PLACE}\n"


def report(text: str) -> ReportOfChild:
    """Return the report of process 42."""
    return ReportOfChild(text, 42, ObjectFiles(read_map=lambda: (), interpreter=["/no/python"]))


def found(text: str) -> list[Finding]:
    """Return what concerns the user."""
    return report(text).findings(has_ended=True).found


def test_leak() -> None:
    """It is of the child, in the function that made the block."""
    (leak,) = found(PROGRAM + LOST + KEPT + "checked\n")
    assert leak.kind is Kind.DEFINITE
    assert (leak.bytes, leak.blocks, leak.pid) == (50, 1, 42)
    assert leak.process == "42 (prog --all)"
    assert [(frame.address, frame.function) for frame in leak.stack] == [(0x110, "leak")]
    assert leak.stack[0].owner is Owner.EXTENSION


def test_objects() -> None:
    """The clone says what they are."""
    (leak,) = found(PROGRAM + LOST + 'said\t[0, ["list: [1]\\t."], {"list": 1}]\n')
    assert leak.objects == ("list: [1]\t.",)
    assert leak.types == {"list": 1}


def test_guards() -> None:
    """What they have seen is known without a check."""
    (error,) = found(FORK + EVENT)
    assert error.kind is Kind.OVERFLOW
    assert error.message.startswith("2 bytes written 2 bytes past the end of a block of 10 bytes")
    assert error.process == "42 (a fork)"


def test_death() -> None:
    """By a fault of its own it is a finding, and no check is missed."""
    (death,) = found(PROGRAM + CRASH)
    assert death.kind is Kind.FATAL_SIGNAL
    assert "SIGSEGV" in death.message
    assert not report(PROGRAM + CRASH).is_unchecked


def test_program_of_the_system() -> None:
    """It concerns nobody here, but for code of others that it runs."""
    sorted_out = report(SORT + LOST_BY_LIBC).findings(has_ended=True)
    assert not sorted_out.found
    assert len(sorted_out.of_system) == 1
    assert len(found(PROGRAM + LOST_BY_LIBC)) == 1
    assert len(found(SORT + LOST)) == 1


def test_what_another_program_did_before() -> None:
    """It is reported as before."""
    (error,) = found(PROGRAM + EVENT + SORT)
    assert error.kind is Kind.OVERFLOW
    assert error.process == "42 (sort -u)"


def test_end_without_a_check() -> None:
    """It is told, unless it is of a server that ends after all others."""
    assert report(PROGRAM).is_unchecked
    assert report(PROGRAM + "unchecked\n").is_unchecked
    assert not report(PROGRAM + "checked\n").is_unchecked
    server = "program\t41\t/usr/bin/python3\tpython3 -c from multiprocessing.forkserver import x\n"
    assert not report(server).is_unchecked


def test_broken_lines() -> None:
    """The last one may still be written; of others it is told that something is missing."""
    assert not report(PROGRAM + "checked\nlost\t50").is_unchecked
    assert report(PROGRAM + LOST + "more\nchecked\n").is_unchecked
    for broken in ("lost\t50\n", "nonsense\n", "\n"):
        assert report(PROGRAM + broken + "checked\n").is_unchecked
