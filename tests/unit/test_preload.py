"""LD_PRELOAD, and the names that can stand in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_valgrind import preload


def test_object_stands_under_its_own_name(tmp_path: Path) -> None:
    """It stands before what is there already; what is not built is left out."""
    path = tmp_path / "x.so"
    assert preload.changes([path, None], None) == {"LD_PRELOAD": str(path)}
    assert preload.changes([path, path], "y.so") == {"LD_PRELOAD": f"{path} {path} y.so"}
    assert preload.changes([None], "y.so") == {}


@pytest.mark.parametrize("name", ["a b", "a:b", "a$LIB"])
def test_path_that_the_loader_would_take_apart(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link stands for it, in the given directory, in TMPDIR, or elsewhere."""
    bad = tmp_path / name
    bad.mkdir()
    (bad / "x.so").touch()
    found = preload.changes([bad / "x.so"], None, tmp_path)["LD_PRELOAD"]
    assert found == str(tmp_path / "x.so")
    assert Path(found).resolve() == bad / "x.so"
    good = tmp_path / "good"
    good.mkdir()
    monkeypatch.setenv("TMPDIR", str(good))
    assert preload.changes([bad / "x.so"], None, bad)["LD_PRELOAD"].startswith(f"{good}/")
    monkeypatch.setenv("TMPDIR", str(bad))
    assert preload.changes([bad / "x.so"], None, bad)["LD_PRELOAD"].startswith("/tmp/")
    monkeypatch.setattr(preload, "_ELSEWHERE", ("/nonexistent",))
    with pytest.raises(pytest.UsageError, match=r"space, a colon or a dollar.*in TMPDIR"):
        preload.changes([bad / "x.so"], None, bad)


def test_links_go_with_the_process(tmp_path: Path) -> None:
    """They are removed at its end, and not at that of a fork."""
    code = (
        "import os; from pathlib import Path; from pytest_valgrind import preload\n"
        "link = preload.changes([Path('/a b/x.so')], None)['LD_PRELOAD']\n"
        "if os.fork() == 0: raise SystemExit\n"
        "os.wait(); assert os.path.islink(link); print(link)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path))
    assert not list(tmp_path.iterdir())
