"""Mistakes that a user can make: each gets a sentence that says what to do."""

from __future__ import annotations

import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import HERE

from pytest_valgrind import plugin
from pytest_valgrind.command import Command
from pytest_valgrind.launching import preconditions, valgrind_launch
from pytest_valgrind.launching.valgrind_launch import ValgrindLaunch
from pytest_valgrind.settings import Settings


def test_platform_without_valgrind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where to go instead."""
    monkeypatch.setattr(sys, "platform", "win32")
    config: Any = SimpleNamespace(known_args_namespace=SimpleNamespace(valgrind=True))
    with pytest.raises(pytest.UsageError, match=r"works on Linux, and this is win32: .*WSL"):
        plugin._launch(config, [])


def test_shim_in_the_place_of_python(tmp_path: Path, settings: Settings) -> None:
    """The message says which program to start instead."""
    shim = tmp_path / "python"
    shim.write_text("#!/bin/sh\nexec python3\n")
    with pytest.raises(pytest.UsageError, match=r"is a script that starts Python.*-m pytest"):
        ValgrindLaunch(Command([str(shim)]), settings)


def test_setuid_interpreter(tmp_path: Path, settings: Settings) -> None:
    """Valgrind refuses it, so the launcher says so first."""
    program = tmp_path / "python"
    shutil.copy("/bin/true", program)
    program.chmod(program.stat().st_mode | stat.S_ISUID)
    with pytest.raises(pytest.UsageError, match=r"setuid.*use a copy"):
        ValgrindLaunch(Command([str(program)]), settings)


def test_free_threaded_interpreter(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no PYTHONMALLOC=malloc."""
    known = sysconfig.get_config_var
    monkeypatch.setattr(
        sysconfig, "get_config_var", lambda name: name == "Py_GIL_DISABLED" or known(name)
    )
    with pytest.raises(pytest.UsageError, match=r"free-threaded.*use a build with the GIL"):
        ValgrindLaunch(Command([sys.executable]), settings)


def test_static_interpreter(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Valgrind cannot replace its malloc."""
    monkeypatch.setattr(preconditions, "is_linked_dynamically", lambda: False)
    with pytest.raises(pytest.UsageError, match="linked statically"):
        ValgrindLaunch(Command([sys.executable]), settings)


def test_loader_is_recognised() -> None:
    """The interpreter that runs these tests has one."""
    assert preconditions.is_linked_dynamically()


@pytest.mark.parametrize("option", ["--log-fd=2", "--log-socket=127.0.0.1", "--xml=yes"])
def test_log_that_nobody_can_read(settings: Settings, option: str) -> None:
    """The message says which option it is."""
    settings = settings._replace(args=(option,))
    with pytest.raises(pytest.UsageError, match=rf"{option} stands in the way: leave it out"):
        ValgrindLaunch(Command([sys.executable]), settings)


def test_descriptor_limit_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's limit of 2^30 is too much for valgrind 3.21 and newer."""
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 30, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    valgrind_launch._lower_limits()
    assert limits == [(1 << 20, 1 << 20)]


def test_build_without_headers(tmp_path: Path) -> None:
    """The message names the package that has them, for apt, dnf, pacman and brew."""
    source = HERE.parent
    for name in ("csrc", "pytest_valgrind"):
        shutil.copytree(source / name, tmp_path / name)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(source / name, tmp_path)
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext"],
        cwd=tmp_path,
        env={**os.environ, "CC": str(compiler)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert re.search("apt.*dnf.*pacman.*brew", last)
    assert "Traceback" not in done.stderr
