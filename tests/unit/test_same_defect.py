"""A defect that several tests show is shown in full once, from reports as an engine leaves them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shown import ERROR, FAILED, LEAK, RAW, SAME, Findings, Reports, Shown, lost

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.reporting.reports import give, of_group


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """To load them is most of what a session takes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_same_defect_is_shown_in_full_once(pytester: pytest.Pytester) -> None:
    """The other test has its own size and its own line of Python."""
    shown = Shown(pytester, Findings(SAME))
    assert shown.failure("test_one")[-2:] == [
        "  in test_one (test_it.py:5)",
        "  the same in 1 more test",
    ]
    assert shown.failure("test_two") == [
        "[VALGRIND LEAK]",
        "9 bytes in 1 block is definitely lost",
        "  in test_two (test_it.py:5)",
        "  the same as in test_it.py::test_one: work (ext.c:7)",
    ]
    assert shown.code == pytest.ExitCode.TESTS_FAILED


def test_each_case_of_the_xml_is_whole(pytester: pytest.Pytester) -> None:
    """A reader of one has not read the other."""
    shown = Shown(pytester, Findings(SAME))
    for name in SAME:
        assert "  > work (ext.c:7)" in shown.cases[name]
        assert RAW in shown.cases[name]
        assert "the same" not in shown.cases[name]


@pytest.mark.parametrize(("option", "logs"), [("-v", 1), ("-vv", 2)])
def test_everything_is_shown_if_asked_for(
    pytester: pytest.Pytester, option: str, logs: int
) -> None:
    """With -v the log of what is shown in full, with -vv all in full."""
    shown = Shown(pytester, Findings(SAME), option)
    assert shown.output.count("  > work (ext.c:7)") == logs
    assert shown.output.count(RAW) == logs


def test_another_defect_is_another(pytester: pytest.Pytester) -> None:
    """It is shown in full, below what is not; and a third test has the same as both."""
    found = {
        "test_one": [lost(8, "test_one")],
        "test_two": [ERROR, lost(9, "test_two")],
        "test_three": [lost(8, "test_three"), ERROR],
    }
    shown = Shown(pytester, Findings(found))
    assert shown.failure("test_two") == [
        "[VALGRIND LEAK]",
        "",
        "Invalid read of size 1  (during the call)",
        "  > other (ext.c:9)",
        "  the same in 1 more test",
        "",
        "9 bytes in 1 block is definitely lost",
        "  in test_two (test_it.py:5)",
        "  the same as in test_it.py::test_one: work (ext.c:7)",
    ]
    assert shown.failure("test_three")[1:] == [
        "8 bytes in 1 block is definitely lost",
        "  in test_three (test_it.py:5)",
        "  the same as in test_it.py::test_one: work (ext.c:7)",
        "Invalid read of size 1  (during the call)",
        "  the same as in test_it.py::test_two: other (ext.c:9)",
    ]


def test_same_defect_twice_in_a_test(pytester: pytest.Pytester) -> None:
    again = lost(9, "test_one", fixture="the setup of fixture made")
    shown = Shown(pytester, Findings({"test_one": [lost(8, "test_one"), again]}))
    assert shown.failure("test_one")[-1] == "  the same as above: work (ext.c:7)"
    assert "more test" not in shown.output


def test_objects_without_a_stack(pytester: pytest.Pytester) -> None:
    """The types say which defect it is; each test shows its own objects."""
    bare = Finding(Kind.DEFINITE, "64 bytes are lost", types={"mypkg.Node": 2}, bytes=64, blocks=2)
    found = {
        "test_one": [replace(bare, objects=("mypkg.Node: <one>",))],
        "test_two": [replace(bare, objects=("mypkg.Node: <two>",))],
        "test_three": [replace(bare, types={"list": 1})],
    }
    shown = Shown(pytester, Findings(found))
    assert shown.failure("test_two")[-3:] == [
        "  2 x mypkg.Node",
        "  mypkg.Node: <two>",
        "  the same as in test_it.py::test_one: 2 x mypkg.Node",
    ]
    assert "the same" not in "\n".join(shown.failure("test_three"))


def test_missing_debug_information_is_said_once(pytester: pytest.Pytester) -> None:
    bare = Frame(1, "work", object="/site/_ext.so", owner=Owner.EXTENSION)
    found = {name: [replace(LEAK, stack=(bare,))] for name in ("test_one", "test_two")}
    shown = Shown(pytester, Findings(found))
    assert shown.output.count("Without debug information:") == 1
    assert (
        shown.failure("test_two")[-1] == "  the same as in test_it.py::test_one: work (in _ext.so)"
    )


def test_functions_without_a_name_are_not_the_same(pytester: pytest.Pytester) -> None:
    """There are many in an object file without symbols."""
    nameless = Frame(1, "???", object="/site/_ext.so", owner=Owner.EXTENSION)
    found = {name: [replace(LEAK, stack=(nameless,))] for name in ("test_one", "test_two")}
    assert "the same" not in Shown(pytester, Findings(found)).output


def test_failure_of_no_test(pytester: pytest.Pytester) -> None:
    """An error is shown before failures, so it is the first."""
    group = of_group("test_it.py", ["One of these lost it."], [LEAK])
    location = ("test_it.py", 1, "test_one")
    test = pytest.TestReport("test_it.py::test_one", location, {}, "passed", None, "call")
    give(FAILED, [LEAK], [test], xfail_failures=False)
    shown = Shown(pytester, Reports(test, group))
    assert shown.failure("test_one")[-1] == "  the same as in test_it.py: work (ext.c:7)"
    assert "ERROR at leak check of test_it.py" in shown.output
