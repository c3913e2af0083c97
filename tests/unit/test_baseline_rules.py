"""What a baseline knows again, and what it takes for new."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.findings.baseline import NONE, Baseline, Known, write
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.fingerprint import Identity, identity
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner, Stack

TEST = "test_a.py::test_x"


def frame(function: str, line: int = 1, owner: Owner = Owner.EXTENSION) -> Frame:
    return Frame(0, function, f"{function}.c", line, "/mod.so", owner, f"/src/{function}.c")


def leak(*functions: str, line: int = 1, types: dict[str, int] | None = None) -> Finding:
    stack: Stack = tuple(frame(function, line) for function in functions)
    return Finding(Kind.DEFINITE, "lost", stack, bytes=8, blocks=1, types=types or {})


def known(finding: Finding, test: str = TEST) -> Baseline:
    return Baseline(Path("base.json"), [Known(test, "valgrind", identity(finding))])


def is_known(before: Finding, now: Finding, test: str = TEST) -> bool:
    (marked,) = known(before).marked(test, [now])
    return bool(marked.known)


def test_the_same_is_known() -> None:
    assert is_known(leak("make", "build"), leak("make", "build"))


def test_other_lines_are_the_same() -> None:
    assert is_known(leak("make", line=10), leak("make", line=99))


def test_another_test_is_new() -> None:
    assert not is_known(leak("make"), leak("make"), "test_a.py::test_y")


def test_another_function_is_new() -> None:
    assert not is_known(leak("make"), leak("copy"))


def test_another_caller_is_new_without_types() -> None:
    assert not is_known(leak("make", "load"), leak("make", "save"))


def test_another_caller_is_known_by_the_type() -> None:
    types = {"mypkg.Node": 1}
    assert is_known(leak("make", "load", types=types), leak("make", "save", types=types))


def test_the_same_type_from_elsewhere_is_new() -> None:
    types = {"dict": 1}
    assert not is_known(leak("make", types=types), leak("copy", types=types))


def test_another_type_from_the_same_line_is_new() -> None:
    """All lists are made by the interpreter: the frames that count are those of the test."""
    assert not is_known(leak("test_x", types={"dict": 1}), leak("test_x", types={"list": 1}))


def test_a_type_is_enough_where_a_stack_is_missing() -> None:
    types = {"mypkg.Node": 1}
    assert is_known(leak("make", types=types), leak(types={"mypkg.Node": 7}))


def test_some_of_several_types_are_known() -> None:
    before = leak(types={"dict": 1, "mypkg.Node": 1})
    assert is_known(before, leak(types={"mypkg.Node": 1}))
    assert not is_known(before, leak(types={"mypkg.Node": 1, "mypkg.Edge": 1}))


def test_all_kinds_of_leak_are_one() -> None:
    now = Finding(Kind.INDIRECT, "lost", leak("make").stack)
    assert is_known(leak("make"), now)


def test_an_error_is_no_leak() -> None:
    now = Finding(Kind.INVALID_READ, "Invalid read of size 4", leak("make").stack)
    assert not is_known(leak("make"), now)


def test_frames_of_the_interpreter_do_not_count() -> None:
    def stack(*owners: Owner) -> Finding:
        own = frame("make")
        others = [frame(owner.value, owner=owner) for owner in owners]
        return Finding(Kind.DEFINITE, "lost", (others[0], own, *others[1:]))

    assert is_known(stack(Owner.VALGRIND, Owner.INTERPRETER), stack(Owner.LIBC))


@pytest.mark.parametrize("kind", [Kind.FATAL_SIGNAL, Kind.TIMEOUT])
def test_nobody_gets_used_to_a_crash(kind: Kind) -> None:
    takes_all = Baseline(Path("base.json"), takes_all=True)
    (marked,) = takes_all.marked(TEST, [Finding(kind, "dead")])
    assert not marked.known


def test_an_update_takes_all() -> None:
    (marked,) = Baseline(Path("base.json"), takes_all=True).marked(TEST, [leak("make")])
    assert marked.known == "in the baseline base.json"


def test_without_a_baseline_all_is_new() -> None:
    (marked,) = NONE.marked(TEST, [leak("make")])
    assert not marked.known


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    entries = [
        Known("test_b.py::test_ü", "hunt", Identity("growth by repetition", (), ("blocks",)), "b"),
        Known(TEST, "valgrind", identity(leak("make", types={"dict": 1})), "a"),
    ]
    write(tmp_path / "base.json", entries)
    assert Baseline.read(tmp_path / "base.json").known == tuple(sorted(entries))


def test_a_line_holds_one_finding(tmp_path: Path) -> None:
    """So that a change of the file says what has changed."""
    write(
        tmp_path / "base.json",
        [Known(f"t{number}", "hunt", Identity("k", (), ())) for number in range(3)],
    )
    assert len((tmp_path / "base.json").read_text().splitlines()) == 5


def test_an_empty_one_is_one(tmp_path: Path) -> None:
    write(tmp_path / "base.json", [])
    assert Baseline.read(tmp_path / "base.json").known == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "x", "version": 1}', "\x00"])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no baseline of this version"):
        Baseline.read(path)
