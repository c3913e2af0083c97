"""The parser on real logs of three valgrinds, whole and damaged.

What a log holds is found out here in a simple way, line by line, which works for whole logs.
"""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.memcheck import log_file
from pytest_valgrind.memcheck.log_file import Log, read_to_end
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.parser import Parser, used_suppressions

LOGS = sorted((Path(__file__).parent.parent / "logs").glob("*.log"))
VERSIONS = ("3.19", "3.24", "3.27")
MARKERS = ("BEGIN", "END")
PREFIX = re.compile(r"==(?:[\d:.]+ )?(\d+)== ?(.*)")
#: First lines of errors, by valgrind's source.
HEADS = re.compile(
    r"Invalid (read|write|free|alignment|size)|Jump to|Mismatched|Conditional|Use of uninit"
    r"|(Unin|Unadd)\S+ byte\(s\) found|Syscall param|Source and|Argument|Unsafe allocation"
    r"|Illegal|File descriptor|valgrind: Unrec|Process terminating|\w+\(\) (with size|invalid size)"
    r"|[\d,]+ .*bytes in .* (lost|reachable) in (new )?loss record"
)
KINDS = {
    *(Kind.INVALID_READ, Kind.INVALID_WRITE, Kind.INVALID_JUMP, Kind.INVALID_FREE),
    *(Kind.UNINITIALISED, Kind.UNADDRESSABLE, Kind.SYSCALL, Kind.OVERLAP, Kind.FISHY_SIZE),
    *(Kind.MEMORY_POOL, Kind.DEFINITE, Kind.INDIRECT, Kind.POSSIBLE, Kind.REACHABLE),
}


def log(version: str, name: str) -> Path:
    """Return the path of a log."""
    return Path(__file__).parent.parent / "logs" / f"{version}-{name}.log"


def findings(lines: Iterable[str]) -> list[Finding]:
    """Parse lines."""
    return list(Parser(error_markers=MARKERS).findings(read_lines(lines)))


def of_file(path: Path) -> list[Finding]:
    """Parse a log."""
    return findings(read_to_end(path))


def heads(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Return process and words of each line that begins an error."""
    for line in lines:
        if (match := PREFIX.fullmatch(line)) and HEADS.match(match[2]):
            yield int(match[1]), match[2]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_nothing_is_lost_and_nothing_invented(path: Path) -> None:
    """There are as many findings as first lines of errors, word by word."""
    found = Counter((finding.pid, finding.message) for finding in of_file(path))
    # One stands at the end of the program's own line, which only the parser looks at; and when
    # valgrind itself dies, a stack of the program's stands alone.
    ours = found - Counter(heads(read_to_end(path)))
    if path.stem.endswith("messages"):
        assert [message for _, message in ours] == ["Invalid write of size 4"]
    elif path.stem.endswith("crashes"):
        assert [message[-29:] for _, message in ours] == ["is damaged in valgrind's log."]
    else:
        assert not ours
    assert not Counter(heads(read_to_end(path))) - found


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_every_stack_is_read(path: Path) -> None:
    """All frames of the findings are in their stacks, and in no other."""
    for finding in of_file(path):
        frames = len(finding.stack) + sum(len(further.stack) for further in finding.further)
        assert frames == len(re.findall(r"==    (?:at|by) 0x", finding.raw))
        assert finding.stack


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind(version: str) -> None:
    """The logs hold all that memcheck can find."""
    assert {
        finding.kind for name in ("plain", "crashes") for finding in of_file(log(version, name))
    } >= KINDS


@pytest.mark.parametrize("version", VERSIONS)
def test_kinds_of_cxx(version: str) -> None:
    """Only C++ can do these wrong."""
    kinds = {finding.kind for finding in of_file(log(version, "names"))}
    assert Kind.MISMATCHED_FREE in kinds


@pytest.mark.parametrize("version", VERSIONS)
def test_ends_by_a_signal(version: str) -> None:
    """Each process that died is a finding, with the signal."""
    found = [finding for finding in of_file(log(version, "crashes")) if finding.stack]
    crashes = [finding.message for finding in found if finding.kind is Kind.FATAL_SIGNAL]
    for name in ("SIGSEGV", "SIGABRT", "SIGFPE"):
        assert any(name in message for message in crashes)


@pytest.mark.parametrize("version", VERSIONS)
def test_origins(version: str) -> None:
    """Where an uninitialised value is from is a further stack."""
    captions = {
        further.caption
        for finding in of_file(log(version, "origins"))
        if finding.kind is Kind.UNINITIALISED
        for further in finding.further
        if further.stack
    }
    assert "Uninitialised value was created by a heap allocation" in captions
    assert any(caption.startswith("Uninitialised value was created by a s") for caption in captions)


@pytest.mark.parametrize("version", VERSIONS)
def test_growing_losses_add_up(version: str) -> None:
    """The sum is of what "(+n)" says, not of all checks."""
    grown = [f for f in of_file(log(version, "plain")) if "(+" in f.message]
    assert grown
    assert all(
        f.bytes <= int(re.match(r"[\d,]+", f.message)[0].replace(",", ""))  # type: ignore[index]
        for f in grown
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "function",
    [
        "call_back(std::function<int ()> const&)",
        "(anonymous namespace)",
        "operator new(unsigned long)",
        "Number::operator->*(int) const",
        'operator"" _km(unsigned long long)',
        "<names::Wrapper<[core::option::Option<alloc::boxed::Box<dyn core::ops::function::Fn<",
    ],
)
def test_names_of_cxx_and_rust(version: str, function: str) -> None:
    """Spaces, brackets and colons in a name are not taken for a place."""
    frames = [frame for finding in of_file(log(version, "names")) for frame in finding.stack]
    named = [frame for frame in frames if function in frame.function]
    assert named
    assert all(frame.file or frame.object for frame in named)


@pytest.mark.parametrize("version", VERSIONS)
def test_stripped_frames(version: str) -> None:
    """They have no name, but an object file."""
    frames = [frame for finding in of_file(log(version, "frames")) for frame in finding.stack]
    assert any(frame.function == "???" and frame.object for frame in frames)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_misused_descriptor(version: str) -> None:
    """Its own stack comes last in 3.24, after the further ones."""
    found = next(
        finding
        for finding in of_file(log(version, "descriptors"))
        if finding.message.endswith("was closed already")
    )
    assert {"Previously closed", "Originally opened"} <= {one.caption for one in found.further}
    assert all(one.stack for one in found.further)
    assert "read" in [frame.function for frame in found.stack]


@pytest.mark.parametrize("version", VERSIONS)
def test_processes_in_one_log(version: str) -> None:
    """Each finding is of one of them."""
    assert len({finding.pid for finding in of_file(log(version, "processes"))}) > 1


@pytest.mark.parametrize("version", VERSIONS)
def test_suppressions_belong_to_their_findings(version: str) -> None:
    """Each has a line for each frame."""
    found = [f for f in of_file(log(version, "suppressions")) if f.suppression]
    assert found
    for finding in found:
        places = [line for line in finding.suppression if line.startswith(("fun:", "obj:"))]
        assert len(places) == len(finding.stack)
        assert finding.suppression[1].startswith(("Memcheck:", "CoreError:"))


@pytest.mark.parametrize("version", VERSIONS)
def test_list_of_errors(version: str) -> None:
    """It has the counts by context, without those that are suppressed."""
    lines = list(read_to_end(log(version, "list")))
    counts = [
        int(match[1].replace(",", ""))
        for line in lines
        if (match := re.match(r"==\d+== ([\d,]+) errors in context", line))
    ]
    contexts = Parser(error_markers=MARKERS).contexts(read_lines(lines))
    assert [context.count for context in contexts] == counts
    assert any(count > 1 for count in counts)


@pytest.mark.parametrize("version", VERSIONS)
def test_suppressions_in_use(version: str) -> None:
    """They have name, file and line."""
    used = used_suppressions(read_lines(read_to_end(log(version, "list"))))
    assert used == {"ours (the first): x ours.supp:2", "ours, of leaks ours.supp:7"}


PLAIN = [line for version in VERSIONS for line in read_to_end(log(version, "plain"))]


OTHERS = (
    "==1== Invalid read of size 1",
    "==1==    at 0x1: other (other.c:1)",
    "==1== ",
    "**1** words",
    "--1-- more words",
    "words of nobody",
    "",
    "{",
    "}",
    "\0\ufffd\u2028",
)

LENGTH = 200
accident = st.tuples(
    st.integers(0, LENGTH - 1),
    st.sampled_from(["cut", "lost", "after another's"]),
    st.integers(0, 80),
    st.sampled_from(OTHERS),
)


@settings(deadline=None)
@given(start=st.integers(0, len(PLAIN) - LENGTH), accidents=st.lists(accident, max_size=9))
def test_damaged_log_keeps_what_is_whole(
    start: int, accidents: list[tuple[int, str, int, str]]
) -> None:
    """Lines are cut, lost, and mixed with those of another process.

    A message of which all lines are there is found with its stacks, and one of which the first
    line is there is found as well.
    """
    original = PLAIN[start : start + LENGTH]
    damaged = [[line] for line in original]
    hurt = {index for index, what, _, _ in accidents if what != "after another's"}
    for index, what, end, other in accidents:
        if what == "cut":
            damaged[index] = [line[:end] for line in damaged[index]]
        elif what == "lost":
            damaged[index] = []
        else:
            damaged[index].insert(0, other)
    found = findings(line for lines in damaged for line in lines)
    whole = [line for index, line in enumerate(original) if index not in hurt]
    assert not Counter(heads(whole)) - Counter((one.pid, one.message) for one in found)
    raw = {finding.raw for finding in found}
    for finding in findings(original)[:-1]:  # the last one may be cut off
        lines = finding.raw.splitlines()
        first = _place(original, lines)
        # The lines before and after tell where it begins and ends.
        if first and not hurt & set(range(first - 1, first + len(lines) + 1)):
            assert finding.raw in raw


def _place(lines: list[str], part: list[str]) -> int:
    """Return where some lines stand among others, 0 if not one after another."""
    starts = (n for n, line in enumerate(lines) if line == part[0])
    return next((n for n in starts if lines[n : n + len(part)] == part), 0)


@given(st.binary(max_size=2000))
def test_anything_can_be_read(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    """That holds for binary files as well."""
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(text)
    list(Parser().findings(read_lines(read_to_end(path))))
    list(Parser().contexts(read_lines(read_to_end(path))))


@given(cuts=st.lists(st.integers(0, 5000), max_size=9))
def test_log_that_grows_while_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    """Each line comes once and whole."""
    text = "\n".join(PLAIN[:60]).encode() + b"\n"
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(b"")
    followed = Log(path)
    got: list[str] = []
    for end in [*sorted(cuts), len(text)]:
        with path.open("r+b") as file:
            file.seek(0, 2)
            file.write(text[file.tell() : end])
        got.extend(followed.read())
    followed.close()
    assert got == PLAIN[:60]


def test_memory_does_not_grow_with_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It grows neither for findings nor for other lines."""
    monkeypatch.setattr(log_file, "_CHUNK", 1 << 14)
    text = log("3.19", "plain").read_bytes()

    def peak(copies: int) -> int:
        path = tmp_path / "log"
        path.write_bytes(text * copies)
        tracemalloc.start()
        try:
            found = Parser().findings(read_lines(read_to_end(path)))
            assert sum(1 for _ in found) > copies
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is made once
    assert peak(20) < 1.2 * peak(5)
