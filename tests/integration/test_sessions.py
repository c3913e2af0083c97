"""Several pytest sessions in one process: one after another, and one inside a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from suite import PATIENCE, Run, Suite

FIRST = """
from pytest_valgrind.valgrind import create_leak

def test_a():
    pass

def test_b():
    create_leak()

def test_c():
    pass
"""

UNCHECKED = """
from pytest_valgrind.valgrind import access_invalid, create_leak

def test_nobody_asked():
    create_leak()
    access_invalid()
"""

SECOND = """
from pytest_valgrind.valgrind import access_invalid, create_leak

def test_p():
    create_leak()

def test_q():
    pass

def test_r():
    pass

def test_s():
    access_invalid()
"""

LEAK = "def test_inner():\\n    __import__('pytest_valgrind').valgrind.create_leak()\\n"

OUTER = f"""
import os
import pytest
import pytest_valgrind.valgrind
from pytest_valgrind import client

pytest_plugins = "pytester"
INNER = "{LEAK}"
WITH_CHECKER = "def test_name(pytestconfig):\\n" \\
    "    assert pytestconfig.pluginmanager.hasplugin('valgrind_checker')\\n"

@pytest.fixture
def inner(tmp_path):
    path = tmp_path / ("test_" + tmp_path.name + ".py")
    path.write_text(INNER)
    return str(path)

def test_innocent():
    pass

def test_main(inner, monkeypatch, capsys):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--valgrind")
    assert pytest.main([inner]) == 0
    output = capsys.readouterr().out
    assert output.count("valgrind: ") == 1
    assert "is part of one that is already checked" in output

def test_collect_only(inner):
    assert pytest.main(["--valgrind", "--collect-only", inner]) == 0

def test_without_the_option(inner):
    assert pytest.main(["-q", inner]) == 0

def test_usage_error(inner):
    assert pytest.main(["--valgrind", "--no-such-option", inner]) == 4

def test_workers(inner):
    assert pytest.main(["--valgrind", "-n2", inner]) == 4

def test_in_process(pytester):
    pytester.makepyfile(test_nested=INNER, test_checker=WITH_CHECKER)
    result = pytester.runpytest_inprocess("--valgrind", "--valgrind-timeout=1000")
    result.assert_outcomes(passed=2)

def test_fork(inner):
    pid = os.fork()
    if pid == 0:
        os._exit(pytest.main(["--valgrind", inner]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def test_after(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("valgrind_checker")

def test_leaks_after():
    pytest_valgrind.valgrind.create_leak()
"""

DIES = """
import os

def test_a():
    pass

def test_dies():
    os.abort()

def test_not_run():
    pass
"""

SCRIPT = """
import sys
import pytest

def run(*arguments):
    code = pytest.main(["-p", "no:cacheprovider", "-v", *arguments])
    print("code of the session:", int(code))

run("--valgrind", "--junitxml=1.xml", "test_1.py")
run("test_unchecked.py")
run("--valgrind", "--junitxml=2.xml", "test_2.py")
run(
    *("--valgrind", "--valgrind-failures=report", "--junitxml=3.xml", "test_outer.py"),
)
sys.exit(7)
"""


#: Fewer plugins, for less time, and the same in each session.
PLUGINS = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "pytest_valgrind.plugin,xdist.plugin",
}


def run_script(made: Suite, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that runs sessions."""
    made.write("pytest.ini", "[pytest]\n")
    made.write("run.py", script)
    return subprocess.run(
        [sys.executable, "run.py"],
        cwd=made.directory,
        env=made.environment(PLUGINS),
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Return four sessions that ran in one process, all with the output of that."""
    directory = tmp_path_factory.mktemp("sessions")
    made = Suite(directory, directory)
    for name, text in (("1", FIRST), ("unchecked", UNCHECKED), ("2", SECOND), ("outer", OUTER)):
        made.write(f"test_{name}.py", text)
    done = run_script(made, SCRIPT)
    return [
        Run(done.returncode, done.stdout, done.stderr, directory / f"{number}.xml")
        for number in (1, 2, 3)
    ]


def test_exit_codes(sessions: list[Run]) -> None:
    """Each session has its own, and the launcher has the script's."""
    assert sessions[0].code == 7, sessions[0].output + sessions[0].errors
    assert sessions[0].output.count("code of the session: 1") == 3
    assert sessions[0].output.count("code of the session: 0") == 1


@pytest.mark.parametrize(
    ("number", "failed"),
    [
        (0, {"test_b": "LEAK"}),
        (1, {"test_p": "LEAK", "test_s": "ERROR"}),
        (
            2,
            dict.fromkeys(("test_main", "test_without_the_option", "test_in_process"), "LEAK")
            | {"test_leaks_after": "LEAK"},
        ),
    ],
)
def test_verdicts(sessions: list[Run], number: int, failed: dict[str, str]) -> None:
    """The tests that leak fail, in whichever session, and no others."""
    run = sessions[number]
    found = {name: case for name, case in run.cases.items() if case.outcome != "passed"}
    assert sorted(found) == sorted(failed), run.output
    for name, word in failed.items():
        assert found[name].message.startswith(f"[VALGRIND {word}]")
        assert "8 bytes in 1 block" in found[name].text or word == "ERROR"


def test_what_nobody_asked_for(sessions: list[Run]) -> None:
    """The findings of a session that is not checked fail no test, and are named."""
    assert "outside tests: 1 error, 1 leak (8 bytes in 1 block)" in sessions[1].output


def test_preparations_are_made_once(sessions: list[Run]) -> None:
    """Only the first session calibrates an interpreter and has a log."""
    logs = {line for line in sessions[0].output.splitlines() if line.startswith("valgrind: log")}
    assert len(logs) == 1
    assert sessions[0].output.count("valgrind: memcheck") == 3
    assert sessions[0].errors.count("valgrind: ") <= 1, sessions[0].errors


@pytest.mark.slow
def test_crash_in_the_second_session(tmp_path: Path) -> None:
    """Both sessions are reported."""
    made = Suite(tmp_path, tmp_path)
    made.write("test_1.py", FIRST)
    made.write("test_dies.py", DIES)
    run = 'pytest.main(["-p", "no:cacheprovider", "--valgrind", "--junitxml=1.xml", "{}.py"])'
    calls = [run.format(name) for name in ("test_1", "test_dies")]
    done = run_script(made, "\n".join(["import pytest", *calls]))
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    cases = Run(done.returncode, done.stdout, done.stderr, tmp_path / "1.xml").cases
    failed = {name: case.message for name, case in cases.items() if case.outcome != "passed"}
    assert sorted(cases) == ["test_a", "test_b", "test_c", "test_dies"]
    assert sorted(failed) == ["test_b", "test_dies"]
    assert failed["test_b"].startswith("[VALGRIND LEAK]")
    assert failed["test_dies"].startswith("[VALGRIND CRASH] died of SIGABRT")
    assert "1 test not run: test_dies.py::test_not_run" in done.stdout
