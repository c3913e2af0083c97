"""``--heapcheck`` among the other options of pytest: which tests run, in which order, and where."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import INI
from heapcheck_runs import MIXED, lost_bytes, native_suite, run_natively, section
from suite import Suite

#: One test makes what another loses.
ACROSS = """\
import os
from defective import leak_reference

CACHE = []

def test_fills(): CACHE.append({"made by": os.getpid()})
def test_between(): pass
def test_drops(): leak_reference(CACHE.pop())
def test_last(): pass
"""
#: The same in two classes, each with a fixture, and two tests that lose what they made themselves.
ACROSS_CLASSES = """\
import os
import pytest
from defective import leak_reference

CACHE = []

@pytest.fixture(scope="session", params=["x", "y"])
def letter(request): return request.param

class TestMaker:
    @pytest.fixture(scope="class")
    def filled(self): yield

    def test_fills(self, filled): CACHE.append({"made by": os.getpid()})
    def test_loses_a_list(self, letter): leak_reference([letter])

class TestLoser:
    def test_between(self): pass
    def test_drops(self): leak_reference(CACHE.pop())
    def test_loses_a_set(self, letter): leak_reference({letter})
"""
#: It loses a block in its first run only.
ONCE = """\
from defective import leak
import pytest

runs = []

@pytest.mark.flaky(reruns=2)
def test_fails_twice():
    runs.append(1)
    leak(20 + len(runs))
    assert len(runs) == 3
"""
CLEAN = """\
import ctypes

def test_clean(): pass

def test_type_whose_end_frees_another():
    # The cache of array types holds the inner one until the outer one is gone.
    (ctypes.c_double * 3 * 7)()
"""
#: The address of what was lost hides it until the second group of tests.
LATE = """\
import ctypes
from defective import leak_reference

ADDRESS = ctypes.c_void_p()

def test_hides():
    lost = [1, 2]
    leak_reference(lost)
    ADDRESS.value = id(lost)

def test_fails():
    assert False

def test_shows():
    ADDRESS.value = 0

def test_after(): pass
"""


@pytest.fixture
def native(tmp_path: Path, extension: Path) -> Suite:
    """Return a suite with two tests that leak and two that do not."""
    return native_suite(tmp_path, extension, {"test_mixed.py": MIXED})


def failed(suite: Suite, *options: str) -> set[str]:
    """Run a suite; return the tests that failed."""
    run = run_natively(suite, *options)
    return {name for name, case in run.cases.items() if case.outcome != "passed"}


def test_clean_run(tmp_path: Path, extension: Path) -> None:
    """Nothing is found, and the exit code is 0."""
    run = run_natively(native_suite(tmp_path, extension, {"test_clean.py": CLEAN}))
    assert run.code == pytest.ExitCode.OK
    assert "nothing found, 2 tests checked" in section(run)
    assert "heapcheck: native heap engine" in run.output


def test_ini_file(native: Suite) -> None:
    """The ini file can ask for the engine."""
    native.write("pytest.ini", f"{INI}heapcheck = true\nheapcheck_stacks_seconds = 0\n")
    run = native.run()
    assert {name for name, case in run.cases.items() if case.outcome == "failed"} == {
        "test_b",
        "test_c",
    }
    # Without a second run there is the C function, and no line of Python.
    assert "  > leak (defective.c:" in run["test_b"].text
    assert "  py " not in run["test_b"].text


def test_loss_that_is_seen_late(tmp_path: Path, extension: Path) -> None:
    """It fails the test that loses it once more, though its reports have been logged."""
    suite = native_suite(tmp_path, extension, {"test_late.py": LATE})
    run = run_natively(suite, "--maxfail=2")
    assert run.totals.startswith("1 failed, 3 passed, 1 error")
    assert "ERROR at leak check of test_late.py" in run.output
    assert "Lost by test_late.py::test_hides, and seen when its reports had been" in run.output
    assert section(run)[0].startswith("test_late.py::test_hides: definitely lost")


def test_exact_checks(native: Suite) -> None:
    """A check after every test finds the same."""
    run = run_natively(native, "--memory-leak-check=exact")
    assert lost_bytes(run["test_b"].message) == [21]
    assert run["test_c"].outcome == "failed"
    assert run["test_a"].outcome == run["test_d"].outcome == "passed"
    assert "leaks after every test" in run.output


def test_no_leak_checks(native: Suite) -> None:
    """Only damage is looked for then."""
    assert not failed(native, "--memory-leak-check=off")


def test_without_references(native: Suite) -> None:
    """What the garbage collector can still find is not lost."""
    assert failed(native, "--memory-no-references") == {"test_b"}


def test_only_some_files(native: Suite) -> None:
    """Findings elsewhere are listed, and fail nothing."""
    run = run_natively(native, "--memory-only=other/*.so")
    assert run["test_b"].outcome == "passed"
    assert any(line.startswith("outside --") for line in section(run))


def test_strict(tmp_path: Path, extension: Path) -> None:
    """An unused marker fails its test."""
    text = "import pytest\n\n@pytest.mark.valgrind_known_leak\ndef test_none(): pass\n"
    run = run_natively(
        native_suite(tmp_path, extension, {"test_strict.py": text}), "--memory-strict"
    )
    assert run["test_none"].message.startswith("[HEAP STRICT]")


def test_stop_at_the_first_failure(native: Suite) -> None:
    """With exact checks no test that leaks is followed by another one."""
    run = run_natively(native, "-x", "--memory-leak-check=exact")
    assert run.cases.keys() == {"test_a", "test_b"}


def test_last_failed(native: Suite) -> None:
    """A test that leaks has failed, and is what is run again."""
    options = ("-p", "cacheprovider")
    run_natively(native, *options)
    again = run_natively(native, *options, "--lf")
    assert again.cases.keys() == {"test_b", "test_c"}


def test_order_of_reports(native: Suite) -> None:
    """Reports wait for the leak check, and are logged in the order of the tests."""
    run = run_natively(native, "-v")
    shown = [line for line in run.output.splitlines() if line.startswith("test_mixed.py::")]
    assert [line.split()[0].rpartition("_")[2] for line in shown][:4] == [*"abcd"]
    assert [line.split()[1] for line in shown][:4] == ["PASSED", "FAILED", "FAILED", "PASSED"]


def test_reruns(tmp_path: Path, extension: Path) -> None:
    """Whatever a rerun of a test loses is found as well."""
    run = run_natively(native_suite(tmp_path, extension, {"test_once.py": ONCE}), "--reruns=2")
    assert run["test_fails_twice"].outcome == "failed"
    assert sum(lost_bytes(run["test_fails_twice"].message)) == 21 + 22 + 23


@pytest.mark.parametrize("mode", ["group", "exact"])
def test_lost_by_another_test(tmp_path: Path, extension: Path, mode: str) -> None:
    """The test is to blame that lost it, and the report names the one that made it."""
    suite = native_suite(tmp_path, extension, {"test_across.py": ACROSS})
    run = run_natively(suite, f"--memory-leak-check={mode}")
    assert {name for name, case in run.cases.items() if case.outcome != "passed"} == {"test_drops"}
    assert "allocated in test_across.py::test_fills" in run["test_drops"].text


def test_workers(native: Suite) -> None:
    """Each worker of pytest-xdist checks its tests, and one summary counts them."""
    run = run_natively(native, "-n2")
    assert {name for name, case in run.cases.items() if case.outcome == "failed"} == {
        "test_b",
        "test_c",
    }
    assert any("2 leaks (" in line and "4 tests checked" in line for line in section(run))


def test_each_test_of_several_classes_is_told_from_the_others(native: Suite) -> None:
    """They run once more in one process, in which each finds the fixtures that it needs."""
    native.write("test_mixed.py", ACROSS_CLASSES)
    run = run_natively(native)
    failed = {name: case.message for name, case in run.cases.items() if case.outcome != "passed"}
    words = {"test_drops": "dict", "test_loses_a_list": "list", "test_loses_a_set": "set"}
    assert {name.partition("[")[0] for name in failed} == {*words}
    for name, message in failed.items():
        assert f": {words[name.partition('[')[0]]}" in message
        # Code knows its class from 3.11 on.
        method = "  py Test" if sys.version_info >= (3, 11) else "  py test"
        assert run[name].text.count(method) == 1, run[name].text


def test_valgrind_is_not_needed(native: Suite, tmp_path: Path) -> None:
    """Where there is no valgrind nothing is different."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "addr2line").symlink_to(str(shutil.which("addr2line")))
    run = run_natively(native, environment={"PATH": str(programs)})
    assert lost_bytes(run["test_b"].message) == [21]
    assert "  > leak (defective.c:" in run["test_b"].text


@pytest.mark.parametrize("flag", ["-E", "-I"])
def test_isolated_interpreter(native: Suite, flag: str) -> None:
    """It would not read PYTHONMALLOC, so that it is refused."""
    command = ("env", f"PYTHONPATH={native.path}", sys.executable, flag)
    run = run_natively(native, python=command)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "--heapcheck" in run.errors


def test_sanitizer(native: Suite) -> None:
    """It has a malloc of its own and would end the process, so that it is refused."""
    asked = ["cc", "-print-file-name=libasan.so"]
    library = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(library).is_absolute():
        pytest.skip("the compiler has no AddressSanitizer")
    variables = {"LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0"}
    run = run_natively(native, environment=variables)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "is in this process and needs a malloc of its own" in run.errors


def test_preload_of_the_user_stays(native: Suite) -> None:
    """What the user preloads is still preloaded, for the tests and for what they start."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = next(line.split()[-1] for line in maps if "/libc.so" in line)
    text = "import os\n\ndef test_it(): assert os.environ['LD_PRELOAD'] == os.environ['WANTED']\n"
    native.write("test_mixed.py", text)
    run = run_natively(native, environment={"LD_PRELOAD": library, "WANTED": library})
    assert run["test_it"].outcome == "passed", run["test_it"].text


def test_variables_of_the_user_stay(native: Suite) -> None:
    """A value of PYTHONMALLOC that the user has set is what the tests see."""
    text = "import os\n\ndef test_it(): assert os.environ.get('PYTHONMALLOC') == 'pymalloc'\n"
    native.write("test_mixed.py", text)
    run = run_natively(native, environment={**os.environ, "PYTHONMALLOC": "pymalloc"})
    assert run["test_it"].outcome == "passed", run["test_it"].text


#: With this conftest, the block that the engine loses to try itself out is not there.
BLIND = "from pytest_valgrind import client\n\nclient.create_leak = lambda: None\n"


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "workers"])
def test_a_run_that_can_see_no_leaks_fails(native: Suite, options: tuple[str, ...]) -> None:
    """It would be green else, whatever its tests lose."""
    native.write("conftest.py", BLIND)
    native.write("test_mixed.py", "def test_it(): pass\n")
    run = run_natively(native, *options)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "Leaks cannot be seen here. A block that the engine lost itself" in run.output
    assert section(run)[0] == "leaks cannot be seen here, 1 test checked, but not for leaks"


def test_who_asks_for_no_leaks_need_not_see_any(native: Suite) -> None:
    """What damages the heap is found."""
    native.write("conftest.py", BLIND)
    native.write("test_mixed.py", "def test_it(): pass\n")
    assert run_natively(native, "--memory-leak-check=off").code == 0
