"""Which report files a session writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_valgrind.option_table import option_named
from pytest_valgrind.report_files import json_file, sarif
from pytest_valgrind.report_files.recorder import RunRecorder, Write


def begin(config: pytest.Config) -> None:
    """Register what takes note of the run, if anything is to be written.

    :raises pytest.UsageError: if a value makes no sense.
    """
    files: dict[Path, tuple[str, Write]] = {}
    for name, write in (("memory_json", json_file.write), ("memory_sarif", sarif.write)):
        option = option_named(name)
        path: Path | None = option.value(config, config.option)
        if path is None:
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
    if files or annotates:
        recorder = RunRecorder(config, files, annotates=annotates)
        config.pluginmanager.register(recorder, "valgrind_run_recorder")
