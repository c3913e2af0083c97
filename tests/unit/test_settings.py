"""Settings as they are read from the command line and the ini file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.option_table import OPTIONS
from pytest_valgrind.settings import Settings
from pytest_valgrind.workers.start_worker import StartRequest


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """To load them is most of what a configuration takes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def parsed(pytester: pytest.Pytester, *arguments: str) -> pytest.Config:
    """Return the configuration of a command line."""
    return pytester.parseconfig("-p", "pytest_valgrind.plugin", *arguments)


def read(
    pytester: pytest.Pytester,
    *arguments: str,
    ini: str = "",
    engines: tuple[str, ...] = ("valgrind",),
) -> Settings:
    """Return the settings of a command line and an ini file.

    :param engines: are set afterwards, as pytest would start again with them.
    """
    pytester.makeini(f"[pytest]\n{ini}\n")
    config = parsed(pytester, *arguments)
    for engine in engines:
        setattr(config.option, engine, True)
    return Settings.of(config, config.option)


def test_nothing_is_given(pytester: pytest.Pytester) -> None:
    """What the table says holds."""
    by_default = Settings.by_default()._replace(valgrind=True)
    assert read(pytester) == by_default
    assert by_default.leak_kinds == {Kind.DEFINITE}
    assert by_default.memcheck
    assert by_default.xfail_failures


def test_defaults_of_native_runs(pytester: pytest.Pytester) -> None:
    """An ordinary failure is what it is, and timeouts are nearly what they were."""
    native = read(pytester, engines=("heapcheck",))
    assert (native.failures, native.timeout_factor) == ("report", 2)
    both = read(pytester, engines=("valgrind", "heapcheck"))
    assert (both.failures, both.timeout_factor) == ("xfail", 20)


@pytest.mark.parametrize("engine", ["memory", "valgrind"])
def test_every_name_on_the_command_line(pytester: pytest.Pytester, engine: str) -> None:
    """The older names do the same."""
    found = read(
        pytester,
        f"--{engine}-strict",
        f"--{engine}-no-freeze",
        f"--{engine}-leak-check=exact",
        f"--{engine}-timeout=3",
        f"--{engine}-only=a b.so",
        f"--{engine}-only=c.so",
    )
    assert (found.strict, found.freeze, found.leak_check) == (True, False, "exact")
    assert (found.timeout, found.only) == (3, ("a b.so", "c.so"))


@pytest.mark.parametrize("engine", ["memory", "valgrind"])
def test_every_name_in_the_ini_file(pytester: pytest.Pytester, engine: str) -> None:
    """The older names do the same."""
    ini = f"{engine}_strict = true\n{engine}_no_freeze = true\n{engine}_leak_check = exact\n"
    found = read(pytester, ini=f"{ini}{engine}_timeout = 3\n{engine}_only = 'a b.so' c.so")
    assert (found.strict, found.freeze, found.leak_check) == (True, False, "exact")
    assert (found.timeout, found.only) == (3, ("a b.so", "c.so"))


def test_last_of_two_names_on_the_command_line(pytester: pytest.Pytester) -> None:
    """It holds, as it does of one name; lists are joined in the order in which they are given."""
    given = ("--memory-timeout=1", "--valgrind-timeout=2", "--valgrind-only=a", "--memory-only=b")
    found = read(pytester, *given)
    assert (found.timeout, found.only) == (2, ("a", "b"))


def test_two_names_in_the_ini_file_that_agree(pytester: pytest.Pytester) -> None:
    """A project may support an older version of this plugin, too."""
    assert read(pytester, ini="memory_timeout = 2\nvalgrind_timeout = 2").timeout == 2


@pytest.mark.parametrize(
    ("name", "values"),
    [("timeout", ("2", "3")), ("only", ("a.so", "a.so b.so")), ("strict", ("true", "false"))],
)
def test_two_names_in_the_ini_file_that_differ(
    pytester: pytest.Pytester, name: str, values: tuple[str, str]
) -> None:
    """Nobody can know which one is meant."""
    with pytest.raises(pytest.UsageError, match=f"^memory_{name} and valgrind_{name} .* differ: "):
        read(pytester, ini=f"memory_{name} = {values[0]}\nvalgrind_{name} = {values[1]}")


def test_command_line_and_ini_file(pytester: pytest.Pytester) -> None:
    """The command line's value holds; of lists all values do."""
    ini = "memory_timeout = 1\nvalgrind_failures = report\nmemory_only = a\nvalgrind_args = '--x y'"
    given = ("--valgrind-timeout=2", "--memory-failures=xfail", "--valgrind-only=b")
    found = read(pytester, *given, "--valgrind-args=--a '--b c'", ini=ini)
    assert (found.timeout, found.failures, found.only) == (2, "xfail", ("a", "b"))
    assert found.args == ("--x y", "--a", "--b c")


def test_empty_value_in_the_ini_file(pytester: pytest.Pytester) -> None:
    """It is as good as none."""
    assert read(pytester, ini="valgrind_timeout =\nmemory_leak_check =").leak_check == "group"


def test_paths(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the ini file are relative to it, the others to where pytest was started."""
    pytester.makeini("[pytest]\nvalgrind_suppressions = a.supp\n")
    below = pytester.mkdir("below")
    for path in (pytester.path / "a.supp", below / "b.supp"):
        path.touch()
    monkeypatch.chdir(below)
    config = parsed(pytester, "--valgrind-suppressions=b.supp", "--valgrind-log=log")
    found = Settings.of(config, config.option)
    assert found.suppressions == (pytester.path / "a.supp", below / "b.supp")
    assert found.log == below / "log"


def test_no_path(pytester: pytest.Pytester) -> None:
    """A script may have none to give."""
    assert read(pytester, "--valgrind-log=").log is None


def test_leak_checks_are_turned_off(pytester: pytest.Pytester) -> None:
    """0.x's name concerns memcheck only."""
    assert not read(pytester, "--no-memcheck").memcheck
    assert not read(pytester, "--memory-leak-check=off").memcheck
    assert read(pytester, "--no-memcheck").leak_check == "group"


def test_children_are_traced_where_all_tests_are_forked(pytester: pytest.Pytester) -> None:
    """It is in forks that pytest-forked runs them."""
    config = parsed(pytester)
    config.option.forked = True
    assert Settings.of(config, config.option).trace_children


MISTAKES = [
    ("--valgrind-timeout=0", "--valgrind-timeout takes a number above 0, not '0'."),
    ("--memory-timeout=soon", "--memory-timeout takes a number above 0, not 'soon'."),
    ("--memory-timeout-factor=inf", "--memory-timeout-factor takes a number above 0, not 'inf'."),
    ("--valgrind-timeout=", "--valgrind-timeout takes a number above 0, not ''."),
    ("--valgrind-origins-seconds=-1", "--valgrind-origins-seconds takes a number above 0, not"),
    (
        "--heapcheck-stacks-seconds=-1",
        "--heapcheck-stacks-seconds takes a number of 0 or more, not '-1'.",
    ),
    ("--valgrind-args='--x", "--valgrind-args: No closing quotation."),
    (
        "--valgrind-leak-kinds=definite,certain",
        "--valgrind-leak-kinds takes some of definite, indirect, possible, reachable, not "
        "'certain'.",
    ),
    ("--valgrind-suppressions=no", "--valgrind-suppressions: there is no file DIR/no."),
    (
        "--valgrind-gen-suppressions=.",
        "--valgrind-gen-suppressions: DIR cannot be written: there is a directory of this name.",
    ),
    (
        "--valgrind-gen-suppressions=no/x",
        "--valgrind-gen-suppressions: DIR/no/x cannot be written: there is no directory DIR/no.",
    ),
]


@pytest.mark.parametrize(("argument", "sentence"), MISTAKES)
def test_mistake_on_the_command_line(
    pytester: pytest.Pytester, argument: str, sentence: str
) -> None:
    """A sentence begins with the name that the user wrote."""
    with pytest.raises(pytest.UsageError) as raised:
        read(pytester, argument)
    assert str(raised.value).replace(str(pytester.path), "DIR").startswith(sentence)


@pytest.mark.parametrize(
    ("ini", "sentence"),
    [
        ("valgrind_failures = maybe", "valgrind_failures is xfail or report, not 'maybe'."),
        ("memory_leak_check = no", "memory_leak_check is group or exact or off, not 'no'."),
        ("valgrind_timeout = 2 min", "valgrind_timeout takes a number above 0, not '2 min'."),
        ("valgrind_suppressions = no", "valgrind_suppressions: there is no file DIR/no."),
        ("heapcheck = maybe", "heapcheck in the ini file: invalid truth value 'maybe'."),
    ],
)
def test_mistake_in_the_ini_file(pytester: pytest.Pytester, ini: str, sentence: str) -> None:
    """A sentence begins with the name in the ini file."""
    with pytest.raises(pytest.UsageError) as raised:
        read(pytester, ini=ini)
    assert str(raised.value).replace(str(pytester.path), "DIR") == sentence


def test_suppression_file_that_would_be_overwritten(pytester: pytest.Pytester) -> None:
    """What is in use is not written."""
    (pytester.path / "x.supp").touch()
    given = ("--valgrind-suppressions=x.supp", "--valgrind-gen-suppressions=x.supp")
    with pytest.raises(pytest.UsageError, match=r"would be overwritten.*name another\.$"):
        read(pytester, *given)


def test_what_goes_to_a_worker(settings: Settings) -> None:
    """It arrives as it was, whatever its type."""
    given = settings._replace(
        valgrind=True,
        log=Path("/a b/log"),
        args=("--x=1", "--y"),
        suppressions=(Path("/a.supp"), Path("/b.supp")),
        leak_kinds=frozenset({Kind.DEFINITE, Kind.REACHABLE}),
        only=("*.so",),
        timeout=2.5,
    )
    for sent in (settings, given):
        text = StartRequest("token", sent).command("python").split()[-1]
        assert StartRequest.decoded(text) == StartRequest("token", sent)


def test_help_shows_each_option_by_one_name(pytester: pytest.Pytester) -> None:
    """The older ones are in the documentation."""
    config = parsed(pytester)
    shown = config._parser.optparser.format_help()
    for option in OPTIONS:
        older = set(option.flags).difference(option.shown)
        assert all(flag in shown for flag in option.shown)
        assert not any(f" {flag}" in shown for flag in older)
