"""Failures in the terminal, from reports as an engine leaves them, and what files have of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from shown import CALL, ERROR, FAILED, LEAK, RAW, SAME, WORK, Findings, Reports, Shown

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.reporting.reports import give, give_to_fixtures, of_crash, take_failure

KNOWN = Verdict(Outcome.KNOWN, "[VALGRIND LEAK]", "known since May")
CRASH = Crash(-11, "died of SIGSEGV", (ERROR,), "", "/tmp/valgrind.7.log")


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """To load them is most of what a session takes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_failure_is_the_finding_alone(pytester: pytest.Pytester) -> None:
    """The log is in the file for machines."""
    shown = Shown(pytester, Findings({"test_one": [LEAK]}))
    assert shown.failure("test_one") == [
        "[VALGRIND LEAK]",
        "",
        "8 bytes in 1 block is definitely lost",
        "  > work (ext.c:7)",
        "    call (ceval.c:1)",
    ]
    assert RAW not in shown.output
    assert RAW in shown.cases["test_one"]


@pytest.mark.parametrize("option", ["-v", "--memory-show-log", "--valgrind-show-log"])
def test_log_is_shown_if_asked_for(pytester: pytest.Pytester, option: str) -> None:
    shown = Shown(pytester, Findings({"test_one": [LEAK]}), option)
    assert RAW in shown.failure("test_one")
    assert any("- valgrind log -" in line for line in shown.failure("test_one"))


@pytest.mark.parametrize(("options", "is_there"), [((), False), (("-v",), True)])
def test_log_beside_a_failure_of_its_own(
    pytester: pytest.Pytester, options: Sequence[str], is_there: bool
) -> None:
    """A known leak is a section of the report, and so is its log."""

    class Fails(Findings):
        """Has the test fail by itself."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_call(self) -> None:
            raise AssertionError("its own words")

    shown = Shown(pytester, Fails({"test_one": [LEAK]}, KNOWN), "-ktest_one", *options)
    assert "its own words" in shown.output
    assert "definitely lost" in shown.output
    assert (RAW in shown.output) == is_there


@pytest.mark.parametrize(("options", "is_there"), [((), False), (("-v",), True)])
def test_log_of_a_crash(pytester: pytest.Pytester, options: Sequence[str], is_there: bool) -> None:
    location = ("test_it.py", 1, "test_dies")
    report = of_crash("test_it.py::test_dies", location, CRASH, "The process died of SIGSEGV.")
    shown = Shown(pytester, Reports(report), *options)
    assert shown.failure("test_dies")[:3] == [
        "[VALGRIND CRASH]",
        "",
        "The process died of SIGSEGV.",
    ]
    assert ("valgrind's log" in shown.output) == is_there
    assert CRASH.log in shown.cases["test_dies"]


def test_crash_of_a_worker(pytester: pytest.Pytester) -> None:
    """It is shown as any other, in the report that pytest-xdist has made of it."""
    location = ("test_it.py", 1, "test_dies")
    of_xdist = pytest.TestReport(
        "test_it.py::test_dies", location, {}, "failed", "worker 'gw0' crashed", "call"
    )
    take_failure(of_xdist, of_crash("test_it.py::test_dies", location, CRASH, "It died."))
    shown = Shown(pytester, Reports(of_xdist))
    assert "  > other (ext.c:9)" in shown.failure("test_dies")
    assert CRASH.log not in shown.output
    assert CRASH.log in shown.cases["test_dies"]


def test_own_failure_stands_below(pytester: pytest.Pytester) -> None:
    """It is the test's own, and so is shown in each."""
    location = ("test_it.py", 1, "test_one")
    tests = [
        pytest.TestReport(f"test_it.py::{name}", location, {}, "failed", f"{name}'s own", "call")
        for name in ("test_one", "test_two")
    ]
    for test in tests:
        give(FAILED, [LEAK], [test], xfail_failures=True)
    shown = Shown(pytester, Reports(*tests))
    assert shown.failure("test_one")[-1] == "test_one's own"
    assert any("- the test's own failure -" in line for line in shown.output.splitlines())
    assert "test_two's own" in shown.output


def test_fixtures_are_shown_in_the_same_way(pytester: pytest.Pytester) -> None:
    location = ("test_it.py", 1, "test_one")
    report = pytest.TestReport("test_it.py::test_one", location, {}, "passed", None, "setup")
    found = replace(LEAK, phase="setup", fixture="the setup of fixture made (module scope)")
    give_to_fixtures(FAILED, [found], [report])
    shown = Shown(pytester, Reports(report))
    assert "(in the setup of fixture made (module scope))" in shown.output
    assert RAW not in shown.output


def test_colours(pytester: pytest.Pytester) -> None:
    """Kind, culprit and source line stand out, and nothing else."""
    source = pytester.path / "ext.c"
    source.write_text("\n" * 6 + "lose();\n")
    stack = (WORK._replace(path=str(source)), CALL)
    shown = Shown(pytester, Findings({"test_one": [replace(LEAK, stack=stack)]}), "--color=yes")
    lines = shown.output.splitlines()
    start = lines.index("\x1b[31m\x1b[1m[VALGRIND LEAK]\x1b[0m")
    assert lines[start + 2 : start + 6] == [
        "\x1b[31m\x1b[1m8 bytes in 1 block is definitely lost\x1b[0m",
        "\x1b[33m\x1b[1m  > work (ext.c:7)\x1b[0m",
        "\x1b[36m      lose();\x1b[0m",
        "    call (ceval.c:1)",
    ]


def test_colours_are_for_the_terminal_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pytest would colour whatever it writes into, files stay plain."""
    monkeypatch.setenv("PY_COLORS", "1")
    plugin = Findings({"test_one": [LEAK]})
    shown = Shown(pytester, plugin)
    assert "\x1b[33m" in shown.output
    assert "\x1b" not in shown.xml
    assert "#x1B" not in shown.xml
    assert "\x1b" not in plugin.texts["test_one"]


@pytest.mark.parametrize("variable", ["NO_COLOR", ""])
def test_no_colours(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """As asked for, by option or by variable."""
    if variable:
        monkeypatch.setenv(variable, "1")
    option = () if variable else ("--color=no",)
    assert "\x1b" not in Shown(pytester, Findings(SAME), *option).output


def test_report_is_as_it_was_when_all_is_over(pytester: pytest.Pytester) -> None:
    """Other plugins write files at the end."""
    plugin = Findings(SAME)
    Shown(pytester, plugin)
    assert RAW in plugin.texts["test_two"]
    assert "  > work (ext.c:7)" in plugin.texts["test_two"]


def test_summary_of_pytest_is_as_it_was(pytester: pytest.Pytester) -> None:
    shown = Shown(pytester, Findings(SAME))
    line = "FAILED test_it.py::test_two - [VALGRIND LEAK] definitely lost 9 bytes in 1 bl"
    assert line in shown.output
    assert "2 failed, 1 passed" in shown.output


@pytest.mark.parametrize("style", ["line", "no"])
def test_styles_of_tracebacks(pytester: pytest.Pytester, style: str) -> None:
    shown = Shown(pytester, Findings(SAME), f"--tb={style}")
    assert (": [VALGRIND LEAK] definitely lost 8 bytes" in shown.output) == (style == "line")
