"""The parser, on lines as memcheck prints them."""

from __future__ import annotations

import pytest

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Origin, Owner
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.parser import Parser
from pytest_valgrind.memcheck.stacks import Frames

INVALID_WRITE = """\
==42== Invalid write of size 1
==42==    at 0x109403: worse (t.c:5)
==42==    by 0x109433: main (t.c:7)
==42==  Address 0x4a410d1 is 1 bytes inside a block of size 4 free'd
==42==    at 0x484417B: free (in /usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so)
==42==    by 0x1093FA: worse (t.c:5)
==42==  Block was alloc'd at
==42==    at 0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so)
==42==    by 0x1093EA: worse (t.c:5)
==42==
"""
LOSS_RECORD = """\
==42== 1,088 (+88) (64 (+64) direct, 24 (+24) indirect) bytes in 3 (+1) blocks are definitely lost in loss record 5 of 9
==42==    at 0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so)
==42==    by 0x10973: main (t.c:16)
==42==
"""  # noqa: E501
CONTEXTS = """\
==42== ERROR SUMMARY: 1,005 errors from 2 contexts (suppressed: 0 from 0)
==42==
==42== 1,002 errors in context 1 of 2:
==42== Use of uninitialised value of size 8
==42==    at 0x1093B7: bad (t.c:4)
==42==
==42==
==42== 3 errors in context 2 of 2:
==42== Conditional jump or move depends on uninitialised value(s)
==42==    at 0x1093B8: bad (t.c:5)
==42==
==42== ERROR SUMMARY: 1,005 errors from 2 contexts (suppressed: 0 from 0)
"""


def findings(text: str) -> list[Finding]:
    """Parse a log."""
    return list(Parser().findings(read_lines(text.splitlines())))


def frame_of(line: str) -> Frame:
    """Parse a line of a stack."""
    (found,) = findings(f"==1== Invalid read of size 1\n==1==    at 0x1: {line}\n")
    return found.stack[0]


def test_error() -> None:
    """It says what happened, and where."""
    (found,) = findings(INVALID_WRITE)
    assert found.kind is Kind.INVALID_WRITE
    assert found.message == "Invalid write of size 1"
    assert found.pid == 42
    assert [(frame.function, frame.file, frame.line) for frame in found.stack] == [
        ("worse", "t.c", 5),
        ("main", "t.c", 7),
    ]


def test_further_stacks() -> None:
    """They say where the block was freed, and where it was allocated."""
    (found,) = findings(INVALID_WRITE)
    captions = [further.caption for further in found.further]
    assert captions == [
        "Address 0x4a410d1 is 1 bytes inside a block of size 4 free'd",
        "Block was alloc'd at",
    ]
    assert [further.stack[0].function for further in found.further] == ["free", "malloc"]


def test_raw_lines_are_kept() -> None:
    """The excerpt is what valgrind printed."""
    (found,) = findings(INVALID_WRITE)
    assert found.raw == INVALID_WRITE.rstrip("\n").removesuffix("\n==42==")


def test_loss_record_counts_what_was_lost_since() -> None:
    """What was lost before does not count."""
    (found,) = findings(LOSS_RECORD)
    assert (found.kind, found.bytes, found.blocks) == (Kind.DEFINITE, 88, 1)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("definitely lost", Kind.DEFINITE),
        ("indirectly lost", Kind.INDIRECT),
        ("possibly lost", Kind.POSSIBLE),
        ("still reachable", Kind.REACHABLE),
    ],
)
def test_kinds_of_leak(words: str, kind: Kind) -> None:
    """Those of a first check are not marked with (+n)."""
    text = f"==1== 2,048 bytes in 2 blocks are {words} in loss record 1 of 2\n==1==    at 0x1: f\n"
    (found,) = findings(text)
    assert (found.kind, found.bytes, found.blocks) == (kind, 2048, 2)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Invalid read of size 8", Kind.INVALID_READ),
        ("Jump to the invalid address stated on the next line", Kind.INVALID_JUMP),
        ("Invalid free() / delete / delete[] / realloc()", Kind.INVALID_FREE),
        ("Mismatched free() / delete / delete []", Kind.MISMATCHED_FREE),
        ("Conditional jump or move depends on uninitialised value(s)", Kind.UNINITIALISED),
        ("Use of uninitialised value of size 8", Kind.UNINITIALISED),
        ("Uninitialised byte(s) found during client check request", Kind.UNINITIALISED),
        ("Syscall param write(buf) points to uninitialised byte(s)", Kind.SYSCALL),
        ("Source and destination overlap in memcpy(0x1, 0x2, 3)", Kind.OVERLAP),
        (
            "Argument 'size' of function malloc has a fishy (possibly negative) value: -1",
            Kind.FISHY_SIZE,
        ),
        ("Process terminating with default action of signal 11 (SIGSEGV)", Kind.FATAL_SIGNAL),
        ("Something that a later memcheck has invented", Kind.OTHER_ERROR),
    ],
)
def test_kinds_of_error(message: str, kind: Kind) -> None:
    """An unknown kind is an error all the same."""
    (found,) = findings(f"==1== {message}\n==1==    at 0x1: f (in /x.so)\n==1== \n")
    assert (found.kind, found.message) == (kind, message)


def test_fatal_signal_keeps_what_stands_before_its_stack() -> None:
    """These lines say what the address was."""
    (found,) = findings(
        "==1== Process terminating with default action of signal 11 (SIGSEGV)\n"
        "==1==  Access not within mapped region at address 0x0\n"
        "==1==    at 0x1: crash (c.c:3)\n"
        "==1==  If you believe this happened as a result of a stack\n"
        "==1==  overflow in your program's main thread\n"
    )
    assert found.stack[0].function == "crash"
    assert found.further[0].caption == "Access not within mapped region at address 0x0"


@pytest.mark.parametrize(
    ("line", "function", "place"),
    [
        ("f (a.c:12)", "f", "a.c:12"),
        ("f (in /usr/lib/x y.so.1)", "f", "in x y.so.1"),
        ("???", "???", "???"),
        ("??? (in /a.so)", "???", "in a.so"),
        ("operator new(unsigned long) (in /a.so)", "operator new(unsigned long)", "in a.so"),
        ("ns::g<int (*)(char)>(int) (b.cpp:3)", "ns::g<int (*)(char)>(int)", "b.cpp:3"),
        ("<T as core::fmt::Debug>::fmt (mod.rs:9)", "<T as core::fmt::Debug>::fmt", "mod.rs:9"),
        ("operator()(int)", "operator()(int)", "???"),
        ("f (/full/path of/a.c:12)", "f", "a.c:12"),
    ],
)
def test_frames(line: str, function: str, place: str) -> None:
    """They have names of C, C++ and Rust, with and without debug information."""
    frame = frame_of(line)
    assert (frame.function, frame.place) == (function, place)


def test_object_file_is_looked_up_where_valgrind_names_a_source_file() -> None:
    """The address of the frame tells it."""
    parser = Parser(lambda address: f"/{address:x}.so", lambda _path, _function: Owner.EXTENSION)
    (found,) = parser.findings(read_lines(INVALID_WRITE.splitlines()))
    assert found.stack[0].object == "/109403.so"
    assert found.further[0].stack[0].object is not None
    assert found.further[0].stack[0].object.startswith("/usr/libexec/valgrind/")


def test_contexts_have_counts() -> None:
    """They are read as v.info all_errors lists them."""
    found = Parser().contexts(read_lines(CONTEXTS.splitlines()))
    assert [(context.count, context.stack[0].line) for context in found] == [(1002, 4), (3, 5)]


def test_processes_are_told_apart() -> None:
    """Their lines may be mixed."""
    mixed = "\n".join(
        line
        for pair in zip(
            INVALID_WRITE.splitlines(),
            INVALID_WRITE.replace("==42==", "==43==").splitlines(),
            strict=True,
        )
        for line in pair
    )
    assert sorted(found.pid for found in findings(mixed)) == [42, 43]


@pytest.mark.parametrize(
    "noise",
    [
        "a program's own line\n",
        "**42** what a program printed to the log\n",
        "--42-- WARNING: something\n",
        "\0\xff binary\n",
        "==42== \n==42== HEAP SUMMARY:\n==42==     in use at exit: 72,704 bytes\n==42== \n",
    ],
)
def test_other_lines_are_passed_over(noise: str) -> None:
    """Anything else may be in a log."""
    assert len(findings(noise + INVALID_WRITE + noise + LOSS_RECORD + noise)) == 2


def test_thread_is_no_message() -> None:
    """It stands before the message."""
    (found,) = findings(f"==42== Thread 2 worker:\n{INVALID_WRITE}")
    assert found.message == "Invalid write of size 1"
    assert "Thread 2 worker" in found.raw


def test_time_stamps() -> None:
    """They are read as --time-stamp=yes prints them."""
    assert findings(INVALID_WRITE.replace("==42==", "==00:00:00:01.234 42=="))


BELOW = """
==1== Invalid read of size 1
==1==    at 0x1: f (f.c:1)
{frames}
==1==    by 0x3: main (main.c:1)
==1==  Address 0x1 is 0 bytes after a block of size 8 alloc'd
==1==    at 0x1: malloc (in /m.so)
==1==    by 0x4: g (f.c:1)
==1==    by 0x5: pvg_low_01 (frames.c:1)
==1==    by 0x6: pvg_high_00 (frames.c:1)
"""


def below(*functions: str) -> Finding:
    """Return an error below some frames of ours."""
    frames = "\n".join(f"==1==    by 0x2: {function} (frames.c:1)" for function in functions)
    (found,) = findings(BELOW.format(frames=frames))
    return found


def test_number_of_the_test() -> None:
    """It has two octal digits, the low one first."""
    assert below("pvg_low_17", "pvg_high_03").origin == Origin(0o0317)


def test_number_of_the_test_in_a_thread() -> None:
    """The thread's frame is nearer than the number."""
    found = below("pvg_thread", "pvg_low_17", "pvg_high_77")
    assert found.origin == Origin(0o7717, in_thread=True)


def test_between_two_tests() -> None:
    """The frame has no number."""
    assert below("pvg_between").origin == Origin(None)


def test_nearest_number_counts() -> None:
    """One test may run within the frame of another, as with pytester."""
    functions = ("pvg_low_02", "pvg_high_00", "pvg_edge", "pvg_low_01", "pvg_high_00")
    assert below(*functions).origin == Origin(2)


@pytest.mark.parametrize("functions", [(), ("pvg_low_01",)])
def test_stack_that_does_not_reach_the_number(functions: tuple[str, ...]) -> None:
    """Nothing is known, nor with one digit alone."""
    assert below(*functions).origin is None


def test_further_stacks_have_numbers() -> None:
    """A further stack has the number of the test that allocated the block."""
    assert below().further[0].origin == Origin(1)


def test_frames_of_pytest_are_cut() -> None:
    """What is below the frame of the test is the same for every test."""
    found = below("pvg_low_00", "pvg_high_00", "pvg_edge")
    assert [frame.function for frame in found.stack] == ["f"]
    assert [frame.function for frame in found.further[0].stack] == ["malloc", "g"]
    assert "main" not in found.raw
    assert "pvg" not in found.raw


@pytest.mark.parametrize(
    ("shown", "function", "file"),
    [
        ("f (/a (b)/c.c:12)", "f", "c.c"),
        ("(anonymous namespace)::f(int) (/a/c.cpp:12)", "(anonymous namespace)::f(int)", "c.cpp"),
        ("g(int) const (c.cpp:12)", "g(int) const", "c.cpp"),
    ],
)
def test_path_of_a_source_file(shown: str, function: str, file: str) -> None:
    """It may be whole, and have parentheses in it, as names of functions have."""
    frame = Frames(None, None).read(f"   at 0x12: {shown}")
    assert frame is not None
    assert (frame.function, frame.file, frame.line) == (function, file, 12)
