"""Which kind of session this is: one that runs tests, a controller, a worker, or the launcher's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_SOCKET_SERVER = "execnet/script/socketserver.py"


#: The plugin of a session of which another one reports what it has found.
QUIET = "valgrind_quiet"


def reports(config: pytest.Config) -> bool:
    """Whether a session reports its tests: no worker, and none that is reported by another."""
    return not (hasattr(config, "workerinput") or config.pluginmanager.has_plugin(QUIET))


def tests_will_run(option: object) -> bool:
    """Whether tests will run, rather than help be printed."""
    tells = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
    return not any(getattr(option, name, None) for name in tells)


def is_started_by_execnet() -> bool:
    """Whether this interpreter was started to execute what comes over a pipe or a socket."""
    code = "".join(sys.orig_argv[-1:])
    return "exec(eval(sys.stdin.readline()))" in code or sys.argv[0].endswith(_SOCKET_SERVER)


def is_distributed(option: object) -> bool:
    """Whether pytest-xdist will have workers run the tests."""
    number: object = getattr(option, "numprocesses", None)
    if number is not None:
        return number != 0
    return getattr(option, "dist", "no") not in ("no", None)


def is_of_launcher(config: pytest.Config) -> bool:
    """Whether a session is one of those that the launcher itself runs."""
    has_plugin = config.pluginmanager.has_plugin
    return has_plugin("valgrind_replay") or has_plugin("valgrind_rehearsal")


def refuse_controller(option: object) -> None:
    """Refuse to have valgrind watch a process that runs no tests.

    :raises pytest.UsageError: if it does.
    """
    if is_distributed(option):
        raise pytest.UsageError(
            "--valgrind: valgrind watches only the process that hands out the tests, and not the "
            "workers of pytest-xdist: leave valgrind out of the command line, as "
            f"`{Path(sys.executable).name} -m pytest --valgrind -n` starts each worker under it."
        )
