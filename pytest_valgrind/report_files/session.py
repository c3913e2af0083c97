"""Which report files a session writes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_valgrind.findings.baseline import NONE
from pytest_valgrind.option_table import option_named
from pytest_valgrind.report_files import json_file, sarif
from pytest_valgrind.report_files.recorder import RunRecorder, Write
from pytest_valgrind.session_kind import tests_will_run
from pytest_valgrind.settings import baseline_of

if TYPE_CHECKING:
    import argparse

    from pytest_valgrind.report_files.earlier_report import EarlierReport


def begin(config: pytest.Config) -> None:
    """Register what takes note of the run, if anything is to be written.

    :raises pytest.UsageError: if a value makes no sense.
    """
    files: dict[Path, tuple[str, Write]] = {}
    for name, write in (
        ("memory_report", page_writer(config, config.option)),
        ("memory_json", json_file.write),
        ("memory_sarif", sarif.write),
    ):
        option = option_named(name)
        path: Path | None = option.value(config, config.option)
        if path is None or write is None:
            continue
        if path in files:
            raise pytest.UsageError(
                f"{option.flags[0]} and {files[path][0]}: {path} cannot be both: give two names."
            )
        files[path] = (option.flags[0], write)
    annotations = option_named("memory_annotations").value(config, config.option)
    annotates = annotations == "github" or (
        annotations == "auto" and os.environ.get("GITHUB_ACTIONS") == "true"
    )
    baseline = baseline_of(config, config.option)
    if baseline is not None:
        # Workers of pytest-xdist, which get this option, may run in another directory.
        config.option.memory_baseline = str(baseline.path.absolute())
    # The files of an earlier run stay where this one shows what there is, and runs nothing.
    if not tests_will_run(config.option) or config.option.collectonly:
        return
    if files or annotates or baseline is not None:
        recorder = RunRecorder(
            config,
            files,
            known_before=baseline or NONE,
            annotates=annotates,
        )
        config.pluginmanager.register(recorder, "valgrind_run_recorder")


def page_writer(config: pytest.Config, given: argparse.Namespace) -> Write | None:
    """Return what writes the page, None if none is wanted.

    Earlier reports are read now: the page may take the place of one of them.

    :param given: the command line; early on, ``config.option`` does not hold it yet.
    :raises pytest.UsageError: if it cannot be made.
    """
    path, earlier = (
        option_named(name).value(config, given) for name in ("memory_report", "memory_earlier")
    )
    if path is None:
        if given.memory_earlier:  # in the ini file it waits for a run with a page
            raise pytest.UsageError(
                "--memory-earlier: the comparison stands in the page that --memory-report=FILE "
                "writes: give that as well."
            )
        return None
    if find_spec("jinja2") is None:
        raise pytest.UsageError(
            "--memory-report takes jinja2: pip install 'pytest-valgrind[report]'."
        )
    from pytest_valgrind.report_files import html_file

    return partial(html_file.write, earlier=_earlier_reports(earlier, path))


def _earlier_reports(paths: Iterable[Path], report: Path) -> list[EarlierReport]:
    from pytest_valgrind.report_files import earlier_report

    reports = []
    for path in dict.fromkeys(paths):
        # The first run of all has nothing before it that the page could take the place of.
        if path == report and not path.exists():
            continue
        try:
            reports.append(earlier_report.read(path))
        except ValueError as error:
            raise pytest.UsageError(f"--memory-earlier{error}.") from None
    return reports
