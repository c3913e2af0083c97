"""The options of hunts, and other plugins that have options of these names."""

from __future__ import annotations

import pytest

TEST = "kept = []\ndef test_it():\n    kept.append({})\n"
OTHER = """
def pytest_addoption(parser):
    group = parser.getgroup("other")
    group.addoption("-L", "--leaks", help="of another plugin")
    group.addoption("--leaks-fail", action="store_true")
"""
CHECKER = """
def test_it(leaks_checker):
    assert (leaks_checker.stab, leaks_checker.run) == {}
"""


@pytest.mark.parametrize(
    ("option", "ini", "expected"),
    [
        ("2:3", "", (2, 3)),
        ("2:", "", (2, 4)),
        (":3", "", (5, 3)),
        (":", "", (5, 4)),
        (":", "leaks_stab = 1\nleaks_run = 2", (1, 2)),
        ("3:", "leaks_stab = 1\nleaks_run = 2", (3, 2)),
    ],
)
def test_numbers_of_runs(
    pytester: pytest.Pytester, option: str, ini: str, expected: tuple[int, int]
) -> None:
    """The command line's before the ini file's, and pytest-leaks' where none is given."""
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(CHECKER.format(expected))
    assert pytester.runpytest_inprocess("-R", option).ret == 0


def test_no_checker_without_the_option(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(leaks_checker):\n    assert leaks_checker is None\n")
    assert pytester.runpytest_inprocess().ret == 0


@pytest.mark.parametrize("value", ["x", "1", "1:0", "1:2:3"])
def test_value_without_sense(pytester: pytest.Pytester, value: str) -> None:
    result = pytester.runpytest_inprocess("-R", value)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*takes STAB:RUN*not '{value}'*"])


def test_option_of_another_plugin(pytester: pytest.Pytester) -> None:
    """Its plugin is loaded by a conftest; ours says in one line that it does nothing."""
    pytester.makepyfile(**{"other_leaks": OTHER, "test_it": TEST})
    pytester.makeconftest('pytest_plugins = ["other_leaks"]\n')
    pytester.syspathinsert()
    for arguments in (["--leaks=fds"], ["-R", ":"]):
        result = pytester.runpytest_inprocess(*arguments)
        assert result.ret == 0
        result.stdout.fnmatch_lines(["leaks: another plugin has the option -R or --leaks*"])
        result.assert_outcomes(passed=1)


def test_option_of_another_plugin_that_nobody_uses(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(**{"other_leaks": OTHER, "test_it": TEST})
    pytester.makeconftest('pytest_plugins = ["other_leaks"]\n')
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess()
    assert result.ret == 0
    result.stdout.no_fnmatch_line("leaks:*")


def test_leaks_need_not_fail(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    result = pytester.runpytest_inprocess("-R", ":", "--leaks-fail=no", "--leaks-seconds=0.1", "-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*::test_it LEAKED*", "*::test_it: leaked *", "*1 leaked*"])
