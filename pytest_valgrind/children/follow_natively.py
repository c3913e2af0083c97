"""How the native engine comes to report on the processes that tests start."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from pytest_valgrind import fork
from pytest_valgrind.heap.engine import CHILDREN, Engine

_DIRECTORY = "children"
# Of a process without a launcher, and whether its forks are told: once in a process.
_made: list[Path] = []
_tells_forks = False


def follow(engine: Engine, directory: Path | None) -> Path:
    """Have children of this process report what is found in them, from here on.

    :param directory: that is this process's own, None if there is none yet.
    :return: where the reports are.
    """
    global _tells_forks  # noqa: PLW0603
    if directory is None:
        if not _made:
            _made.append(Path(tempfile.mkdtemp(prefix="pytest-valgrind-")))
            atexit.register(_remove, _made[0], os.getpid())
        directory = _made[0]
    reports = directory / _DIRECTORY
    reports.mkdir(exist_ok=True)
    # For what they execute; the engine's library is preloaded into that as into this process.
    os.environ[CHILDREN] = str(reports)
    engine.follow_forks(str(reports))
    if not _tells_forks:
        _tells_forks = True
        os.register_at_fork(after_in_child=lambda: _begin_fork(engine))
    return reports


def stop(engine: Engine) -> None:
    """Have no more children report."""
    os.environ.pop(CHILDREN, None)
    engine.follow_forks(None)


def _begin_fork(engine: Engine) -> None:
    if fork.is_of_this_kind():  # in which a test runs again, and its children are no test's
        stop(engine)
    else:
        engine.begin_fork()


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
