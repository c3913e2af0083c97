"""The further run, in which valgrind says where uninitialised values were created.

Each test runs in a fork of its own, as valgrind takes errors for one whose innermost frames are the
same: the origin that it shows would be that of the first of several tests. What their logs show is
all that is wanted; pytest reports nothing, and none of the user's files is written.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import time
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind import client, pytest_internals
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.relevance import Relevance, Scope
from pytest_valgrind.fork import forked, wait
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import Line, read_lines
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.memcheck.parser import Parser
from pytest_valgrind.memcheck.python_functions import PythonFunctions
from pytest_valgrind.memcheck.valgrind_info import ValgrindInfo

if TYPE_CHECKING:
    from pytest_valgrind.origins.origins import Request
    from pytest_valgrind.settings import Settings

_MAPS = "maps"
_END = "pytest-valgrind: the end of the test"
_LISTING = "ERROR SUMMARY: "
#: Options by which pytest and plugins write files or wait for somebody, and what turns them off.
_OFF: dict[str, object] = {
    "xmlpath": None,
    "log_file": os.devnull,
    "pastebin": None,
    "usepdb": False,
    "trace": False,
    "maxfail": 0,
    "htmlpath": None,
    "json_report": False,
    "report_log": None,
    "memory_log": None,
    "allure_report_dir": None,
    "benchmark_json": None,
    "benchmark_autosave": False,
    "benchmark_save": None,
}


class OriginRun:
    """Runs what is unexplained, in a process under valgrind."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        info: ValgrindInfo,
        functions: PythonFunctions | None = None,
    ) -> None:
        self._request = request
        self._info = info
        self._functions = functions
        self._scope = Scope(settings.only)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep what was asked for."""
        wanted = self._request.tests
        others = [item for item in items if item.nodeid not in wanted]
        items[:] = [item for item in items if item.nodeid in wanted]
        config.hook.pytest_deselected(items=others)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Run a test in a fork, and write down what its log shows."""
        if self._request.seconds_left > 0:
            pid = forked(partial(self._run, item))
            if wait(pid, time.monotonic() + self._request.seconds_left) == 0:
                self._request.found(item.nodeid, [*self._findings(pid)])
        return True

    def note(self, nodeid: str, findings: list[Finding]) -> None:
        """Write down what was found at import, or outside tests."""
        self._request.found(nodeid, [*filter(self._is_wanted, findings)])

    def _run(self, item: pytest.Item) -> None:
        client.log_forks(False)
        try:
            client.inside_test(0, partial(pytest_internals.run_phases, item, None))
            gc.collect()
        finally:
            client.print_to_log(_END)
            maps = Path("/proc/self/maps").read_text(encoding="utf-8")
            (self._request.directory / _MAPS).write_text(maps, encoding="utf-8")

    def _findings(self, pid: int) -> Iterator[Finding]:
        assert self._info.log_names
        log = self._info.log_names.of_fork(pid)
        maps = (self._request.directory / _MAPS).read_text(encoding="utf-8")
        objects = ObjectFiles(maps.splitlines)
        parser = Parser(objects.at, objects.owner, self._info.error_markers, self._functions)
        lines = takewhile(_is_of_test, read_lines(read_to_end(log), pid))
        yield from filter(self._is_wanted, parser.findings(lines))
        with contextlib.suppress(OSError):
            log.unlink()

    def _is_wanted(self, finding: Finding) -> bool:
        return finding.is_handed_over and self._scope.relevance(finding) is Relevance.OWN


def _is_of_test(line: Line) -> bool:
    """Whether valgrind does not list its errors yet, with those of the fork's parent."""
    return line.text != _END and not line.text.startswith(_LISTING)


def adapt_arguments(arguments: list[str], known: argparse.Namespace, directory: Path) -> None:
    """Turn off what would do harm in a further run.

    :param arguments: of the command line, to which some are added.
    :param known: what has been parsed of them so far, which is changed as they would.
    """
    if hasattr(known, "numprocesses"):
        known.numprocesses, known.dist = 0, "no"
        arguments += ["-n0", "--dist=no"]
    if hasattr(known, "no_cov"):
        known.no_cov = True
        arguments.append("--no-cov")
    if known.basetemp:  # its files are still of the first run
        known.basetemp = directory / "basetemp"
        arguments.append(f"--basetemp={known.basetemp}")


class Quiet:
    """Turns off what pytest and plugins would write."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Before they read it."""
        for name, value in _OFF.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
