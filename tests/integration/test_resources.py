"""What ``pytest --resources`` says that tests have left: runs of tests/suites/resources."""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import INI, SUITES
from suite import Run, Suite

from pytest_valgrind.resources.file_mappings import FileMappings

#: By test: what it leaves, a form for each line.
LEFT: Mapping[str, tuple[str, ...]] = {
    "test_file": (
        r"open descriptor: file descriptor \d+: /.*/left.txt, opened \(test_left.*:\d+\)",
    ),
    "test_one_closed_and_one_opened": (r"open descriptor: file .*/another.txt, opened \(.*",),
    "test_pipe": (
        r"open descriptor: file descriptor \d+: the read end of a pipe",
        r"open descriptor: file descriptor \d+: the write end of a pipe",
    ),
    "test_socket": (
        r"open descriptor: AF_INET SOCK_STREAM socket \d+: 127.0.0.1:\d+, test_socket \(.*",
    ),
    "test_accepted_socket": (
        r"open descriptor: AF_INET SOCK_STREAM socket \d+: 127.0.0.1:\d+ <-> 127.0.0.1:\d+, "
        r"test_accepted_socket \(.*",
    ),
    "test_thread": (r"running thread: daemon worker, which runs Event.wait.*",),
    "test_child": (r"child process: number \d+, sleep 20, test_child \(.*",),
    "test_child_not_waited_for": (
        r"child process: number \d+, which has ended and was not waited for, test_child_.*",
    ),
    "test_temporary_file": (r"temporary file: /.*, test_temporary_file \(.*",),
    "test_temporary_directory": (r"temporary file: /.*/, test_temporary_directory \(.*",),
    "test_shared_memory": (r"open mapping: 12,288 bytes of .*memory, test_shared_memory \(.*",),
    "test_with_its_own_fixture": (r"open descriptor: file .*/left by its fixture.txt, opened .*",),
    "test_allowed_another": (r"open descriptor: file .*/not allowed.txt, opened .*",),
    "TestCase::test_of_unittest": (r"open descriptor: file .*python.*, .*test_of_unittest \(.*",),
    "test_last": (
        r"open descriptor: .*/of session.txt, opened \(.*\), in the setup of fixture "
        r"file_of_session \(session scope\)",
        r"open descriptor: .*/left by fixture.txt, opened \(.*\), in the setup of fixture "
        r"file_of_module \(module scope\)",
    ),
}
TOTALS = (
    "11 open descriptors, 1 open mapping, 1 running thread, 2 child processes, 2 temporary files "
    "in 15 tests; 27 tests checked"
)


def leftovers(run: Run) -> dict[str, list[str]]:
    """Return the lines of the summary by test, and the last line by an empty name."""
    _, _, rest = run.output.partition("= resources =")
    found: dict[str, list[str]] = {}
    for line in rest.splitlines()[1:]:
        if line.startswith("==="):
            break
        name, separator, words = line.partition(": ")
        _, is_test, test = name.partition("::")
        found.setdefault(test if is_test else "", []).append(words if is_test else line)
        assert separator or not is_test
    return found


def run(directory: Path, *options: str, name: str = "resources") -> Run:
    """Run the suite, with a directory for its temporary files."""
    made = Suite(directory, directory)
    made.write("pytest.ini", INI)
    made.copy(SUITES / name)
    temporary = directory / "tmp"
    temporary.mkdir()
    return made.run(*options, environment={"TMPDIR": str(temporary)})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run without any engine."""
    return run(tmp_path_factory.mktemp("plain"), "--resources=all")


@pytest.fixture(scope="module")
def natively(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run with the native engine, in which what is left fails its test."""
    options = ("--heapcheck", "--resources=all", "--resources-fail")
    return run(tmp_path_factory.mktemp("natively"), *options)


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run by workers of pytest-xdist."""
    options = ("-n", "2", "--dist", "loadfile", "--resources=all")
    return run(tmp_path_factory.mktemp("distributed"), *options)


@pytest.mark.parametrize("which", ["plain", "natively", "distributed"])
@pytest.mark.parametrize("test", LEFT)
def test_named(test: str, which: str, request: pytest.FixtureRequest) -> None:
    """Each thing is named, with where it was opened."""
    lines = leftovers(request.getfixturevalue(which))[test]
    assert len(lines) == len(LEFT[test])
    for line, form in zip(lines, LEFT[test], strict=True):
        assert re.fullmatch(form, line)


@pytest.mark.parametrize("which", ["plain", "natively", "distributed"])
def test_nobody_else_is_blamed(which: str, request: pytest.FixtureRequest) -> None:
    """The names of the tests say which leave something."""
    found = leftovers(request.getfixturevalue(which))
    assert found.pop("") == [TOTALS]
    assert set(found) == set(LEFT)


def test_warns(plain: Run) -> None:
    """Only the test that fails by itself fails."""
    assert plain.code == 1
    assert plain.totals.startswith("1 failed, 25 passed, 1 skipped, 15 warnings")
    assert "LeftoverWarning: [LEFTOVER]" in plain.output


def test_fails(natively: Run) -> None:
    """Its teardown fails, and the test itself stays as it was."""
    assert natively.totals.startswith("1 failed, 25 passed, 1 skipped, 15 errors")
    assert natively["test_socket"].message.startswith('failed on teardown with "[LEFTOVER]')
    assert natively["test_socket"].properties["resources"].startswith("open descriptor: AF_INET")


def test_the_engine_has_its_own_section(natively: Run) -> None:
    """What was left is none of its findings."""
    assert "\nnothing found, 26 tests checked\n" in natively.output


def test_shows_the_source(natively: Run) -> None:
    """The innermost functions that are the user's, with their lines."""
    form = (
        r"Open file descriptor \d+: \S*/left.txt\n"
        r"  py opened \(test_leftovers.py:\d+\)\n"
        r'      return path.open\("w"\)\n'
        r"  py test_file \(test_leftovers.py:\d+\)\n"
        r'      files.append\(opened\(tmp_path / "left.txt"\)\)\n'
    )
    assert re.search(form, natively.output)


def test_mapping_of_c_code(tmp_path: Path, extension: Path) -> None:
    """The native engine knows anonymous memory, by the test that has mapped it."""
    made = Suite(tmp_path, extension)
    made.write("pytest.ini", INI)
    made.write(
        "test_maps.py",
        "import ctypes, mmap\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.mmap.restype = ctypes.c_void_p\n"
        "map = lambda size: libc.mmap(None, ctypes.c_size_t(size), 3, 0x22, -1, 0)\n"
        "libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]\n"
        "def test_kept(): map(5 * 4096)\n"
        "def test_unmapped(): libc.munmap(map(6 * 4096), 6 * 4096)\n"
        "def test_recursion(n=900): n and test_recursion(n - 1)\n",
    )
    found = leftovers(made.run("--heapcheck", "--resources=maps"))
    assert found["test_kept"][0].startswith("open mapping: 20,480 bytes of memory")
    assert found[""] == ["1 open mapping in 1 test; 3 tests checked"]


def test_mapping_of_a_shared_fixture(tmp_path: Path, extension: Path) -> None:
    """It is the fixture's, and said when that has been torn down and nobody has unmapped it."""
    made = Suite(tmp_path, extension)
    made.write("pytest.ini", INI)
    made.write(
        "conftest.py",
        "import ctypes, pytest\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.mmap.restype = ctypes.c_void_p\n"
        "libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]\n"
        "def map(pages): return libc.mmap(None, ctypes.c_size_t(pages * 4096), 3, 0x22, -1, 0)\n"
        "@pytest.fixture(scope='session')\n"
        "def of_session(): yield map(5)\n"
        "@pytest.fixture(scope='module')\n"
        "def of_module(of_session): yield map(6)\n"
        "@pytest.fixture(scope='module')\n"
        "def unmapped():\n"
        "    address = map(7)\n"
        "    yield\n"
        "    libc.munmap(address, 7 * 4096)\n",
    )
    made.write(
        "test_maps.py",
        "from conftest import map\n"
        "def test_first(of_module, unmapped): pass\n"
        "def test_second(of_module, unmapped): map(8)\n",
    )
    made.write("test_other.py", "def test_last(of_session): pass\n")
    found = leftovers(made.run("--heapcheck", "--resources=maps"))
    own, of_module = found.pop("test_second")
    assert own.startswith("open mapping: 32,768 bytes of memory")
    assert of_module.startswith("open mapping: 24,576 bytes of memory")
    assert of_module.endswith("in the setup of fixture of_module (module scope)")
    assert found.pop("test_last")[0].endswith("in the setup of fixture of_session (session scope)")
    assert found == {"": ["3 open mappings in 2 tests; 3 tests checked"]}


def write(directory: Path, test: str, ini: str = INI) -> Suite:
    made = Suite(directory, directory)
    made.write("pytest.ini", ini)
    made.write("test_it.py", f"import os, pytest, threading\n{test}")
    return made


LEAVES = "def test_it(): os.pipe()\n"


def test_ini_file(tmp_path: Path) -> None:
    """The names stand there with spaces or commas between them."""
    made = write(tmp_path, LEAVES, f"{INI}resources = threads, fds maps\nresources_fail = true\n")
    done = made.run()
    assert done.totals.startswith("1 passed, 1 error")
    assert made.run("--resources=").totals.startswith("1 passed in ")
    assert made.run("--resources=threads").totals.startswith("1 passed in ")


def test_nothing_left(tmp_path: Path) -> None:
    """The summary says how many tests were looked at."""
    done = write(tmp_path, "def test_it(): pass\n").run("--resources=all")
    assert leftovers(done) == {"": ["nothing left, 1 test checked"]}


def test_unknown_name(tmp_path: Path) -> None:
    """It is a usage error, and the names that there are are said."""
    done = write(tmp_path, LEAVES).run("--resources=fds,files")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "--resources takes some of fds, maps, threads, " in done.errors
    assert done.errors.rstrip().endswith("or all, not 'files'.")


def test_unknown_name_in_a_marker(tmp_path: Path) -> None:
    """The test is named, and none runs."""
    done = write(tmp_path, f"@pytest.mark.allow_leftover('files')\n{LEAVES}").run("--resources=fds")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "test_it.py::test_it: marker allow_leftover takes some of fds, maps" in done.errors


def test_marker_without_names(tmp_path: Path) -> None:
    """It allows everything, and is known to pytest where nobody looks for anything."""
    made = write(tmp_path, f"@pytest.mark.allow_leftover(reason='why not')\n{LEAVES}")
    assert made.run("--resources=fds", "--resources-fail").totals.startswith("1 passed in ")
    assert made.run("--strict-markers").totals.startswith("1 passed in ")


def test_warning_as_error(tmp_path: Path) -> None:
    """The user's filters hold."""
    made = write(tmp_path, LEAVES)
    assert made.run("--resources=fds", "-W", "error").totals.startswith("1 passed, 1 error")
    ignored = "ignore::pytest_valgrind.LeftoverWarning"
    assert made.run("--resources=fds", "-W", ignored).totals.startswith("1 passed in ")


def test_repeated_test(tmp_path: Path) -> None:
    """Each run of a test that is repeated begins anew."""
    test = "runs = []\ndef test_it():\n    runs.append(os.pipe())\n    assert len(runs) > 1\n"
    done = write(tmp_path, test).run("--resources=fds", "--reruns=2")
    assert len(leftovers(done)["test_it"]) == 2


def test_file_mapping(tmp_path: Path) -> None:
    """A mapped file is known without an engine; its object files are not."""
    reader = FileMappings()
    before = reader.read()
    path = tmp_path / "mapped"
    path.write_bytes(b"x" * 8192)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        (mapping,) = reader.read() - before
        assert reader.describe(mapping) == f"8,192 bytes of {path}"
    assert reader.read() == before
    assert not any(mapping.path.endswith(".so") for mapping in before)
