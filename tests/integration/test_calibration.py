"""The interpreter's own errors, found out by a self-test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from suite import Suite

from pytest_valgrind import preload
from pytest_valgrind.false_alarms import calibration
from pytest_valgrind.false_alarms.calibration import Calibration
from pytest_valgrind.false_alarms.selftest import EXERCISES
from pytest_valgrind.findings.suppressions import count
from pytest_valgrind.package import PACKAGE

OPTIONS = ("--num-callers=50", "--error-limit=no")
SAYS = "a self-test finds out"


class Said(list[str]):
    """What the user is told."""

    def __call__(self, words: str) -> None:
        self.append(words)

    @property
    def line(self) -> str:
        """All of it, which must be one line."""
        text = "".join(self)
        assert text.count("\n") == 1
        return text


def made(cache: Path, *options: str, valgrind: str = "valgrind") -> Calibration:
    """Return a calibration of this interpreter."""
    return Calibration(valgrind, [*OPTIONS, *options], os.environ, cache=cache)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.__name__)
def test_exercise(exercise: object) -> None:
    """Each part does what it should natively, without packages other than Python's."""
    code = f"import selftest; selftest.{exercise.__name__}()"  # type: ignore[attr-defined]
    subprocess.run(
        [sys.executable, "-S", "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(calibration.__file__).parent)},
        check=True,
    )


def test_measured_once(tmp_path: Path) -> None:
    """One line says what is going on, how long it takes, and what came of it."""
    said = Said()
    noise = made(tmp_path).noise(said)
    assert noise is not None
    assert SAYS in said.line
    assert f"{count(noise)} context" in said.line
    assert str(tmp_path) in said.line
    silence = Said()
    assert made(tmp_path).noise(silence) == noise
    assert not silence


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="others raise no errors")
def test_noise_is_suppressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the self-test of 3.11 shows without our repairs does not show again."""
    monkeypatch.setattr(preload, "repairs", lambda: None)
    noise = made(tmp_path).noise(Said())
    assert noise is not None
    if count(noise) == 0:
        pytest.skip("this build raises no errors")
    assert "CPython 3.11" in noise
    suppressions = tmp_path / "file.supp"
    suppressions.write_text(noise)
    log = tmp_path / "log"
    script = Path(calibration.__file__).with_name("selftest.py")
    subprocess.run(
        [
            *("valgrind", *OPTIONS, f"--log-file={log}", f"--suppressions={suppressions}"),
            *(sys.executable, "-S", "-W", "ignore", str(script), str(tmp_path / "maps")),
        ],
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        check=True,
    )
    assert "ERROR SUMMARY: 0 errors" in log.read_text()


def test_other_options_are_another_matter(tmp_path: Path) -> None:
    """The place of the log, deep enough stacks, and what is no option make no difference."""
    path = made(tmp_path).path
    assert made(tmp_path, "--log-file=x", "--suppressions=y").path == path
    assert made(tmp_path, "--track-origins=yes", "--num-callers=100", "--no-such").path == path
    assert made(tmp_path, "--partial-loads-ok=no").path != path
    assert made(tmp_path, "--num-callers=12").path != path
    assert made(tmp_path, valgrind="/bin/true").path != path


def test_options_from_elsewhere_matter_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of VALGRIND_OPTS count, too."""
    path = made(tmp_path).path
    monkeypatch.setenv("VALGRIND_OPTS", "--partial-loads-ok=no --time-stamp=yes")
    assert made(tmp_path).path == made(tmp_path, "--partial-loads-ok=no").path != path


@pytest.mark.parametrize("how", ["--symlinks", "--copies"])
def test_same_interpreter_elsewhere(tmp_path: Path, how: str) -> None:
    """One self-test serves all virtual environments, however old their files are."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", how, tmp_path], check=True)
    package = PACKAGE
    shutil.copytree(package, tmp_path / "pytest_valgrind", copy_function=shutil.copyfile)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from pytest_valgrind.false_alarms.calibration import Calibration\n"
        f"print(Calibration('valgrind', {OPTIONS!r}, os.environ, cache=Path('/x')).path.name)"
    )
    others = sysconfig.get_path("purelib")
    done = subprocess.run(
        [tmp_path / "bin" / "python", "-c", code],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{others}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == made(tmp_path).path.name


def test_says_what_it_took_last_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is the last one on this machine, for any interpreter."""
    monkeypatch.setattr(Calibration, "_measured", lambda _self: "")
    said = Said()
    made(tmp_path).noise(said)
    assert "(which may take a minute)" in said.line
    (tmp_path / "seconds").write_text("17\n")
    said = Said()
    made(tmp_path, "--partial-loads-ok=no").noise(said)
    assert "(about 17 s)" in said.line


def test_self_test_that_fails(tmp_path: Path) -> None:
    """The tests run all the same."""
    said = Said()
    assert made(tmp_path, valgrind="/nonexistent").noise(said) is None
    assert "/nonexistent does not start: No such file or directory" in said.line
    said = Said()
    # Valgrind says why to those who run their tests under it.
    assert made(tmp_path, "--num-callers=many").noise(said) is None
    assert said.line.endswith("it failed: valgrind does not start\n")


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured is used, and measured again the next time."""
    monkeypatch.setattr(Calibration, "_measured", lambda _self: "{\n   x\n}\n")
    (tmp_path / "file").touch()
    said = Said()
    assert made(tmp_path / "file" / "cache").noise(said) == "{\n   x\n}\n"
    assert "1 context in 0 s, not kept" in said.line
    assert "Not a directory" in said.line


@pytest.mark.slow
def test_option_calibrates_anew(suite: Suite, tmp_path: Path) -> None:
    """What is in the cache is measured again, and the header says what is known."""
    suite.write("test_it.py", "def test_it(): pass\n")
    cache = tmp_path / "cache"
    environment = {"XDG_CACHE_HOME": str(cache)}
    first = suite.run("--valgrind", environment=environment)
    assert SAYS in first.errors
    (known,) = (cache / "pytest-valgrind").glob("*.supp")
    known.write_text(
        "{\n   one\n   Memcheck:Cond\n   fun:f\n}\n{\n   two\n   Memcheck:Cond\n   fun:g\n}\n"
    )
    second = suite.run("--valgrind", environment=environment)
    assert SAYS not in second.errors
    assert "; 2 suppressions; -v shows " in second.output
    third = suite.run("--valgrind", "--valgrind-calibrate", environment=environment)
    assert SAYS in third.errors
    assert "one" not in known.read_text()


@pytest.mark.slow
def test_classic_command_line_calibrates(suite: Suite, tmp_path: Path) -> None:
    """The process that is under valgrind already starts the self-test."""
    suite.write("test_it.py", "def test_it(): pass\n")
    run = suite.run(
        *("--valgrind", "-v"),
        before=["valgrind", f"--log-file={tmp_path / 'log'}"],
        environment={"XDG_CACHE_HOME": str(tmp_path), "PYTHONMALLOC": "malloc"},
    )
    assert SAYS in run.errors
    assert "for interpreter errors" in run.output
    assert "1 passed" in run.totals
