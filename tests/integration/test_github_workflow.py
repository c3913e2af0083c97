"""The steps of docs/examples/memory.yml, run in a project as GitHub would run them.

Commands are run, and actions are not: what they take has to be there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from page_commands import ROOT, of_this_checkout

pytestmark = pytest.mark.slow

WORKFLOW = yaml.safe_load((ROOT / "docs" / "examples" / "memory.yml").read_text())
#: YAML 1.1 takes the word "on" for a boolean.
ON = WORKFLOW[True]
JOBS = WORKFLOW["jobs"]
SETUP = """\
from setuptools import Extension, setup

setup(ext_modules=[Extension("defective", ["defective.c"])])
"""
TESTS = """\
import defective


def test_clean():
    assert sorted([2, 1]) == [1, 2]


def test_leak():
    defective.leak(1000)
"""
#: GitHub's runners have it, and let anybody use it.
SUDO = '#!/bin/sh\nexec "$@"\n'


class JobRun(NamedTuple):
    """The commands of a job, run."""

    directory: Path
    codes: dict[str, int]  #: by the step's name
    outputs: dict[str, str]


def steps(job: str, key: str) -> list[dict[str, Any]]:
    """Return the steps that run commands (``run``), or actions (``uses``)."""
    return [step for step in JOBS[job]["steps"] if key in step]


@pytest.fixture(scope="module")
def of_checkout(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which this checkout is what PyPI has."""
    return of_this_checkout(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=JOBS)
def job(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    of_checkout: dict[str, str],
) -> JobRun:
    """Run the commands of a job in a new environment, in a project that leaks."""
    if request.param == "valgrind" and os.geteuid() != 0:
        pytest.skip("its first step installs a package of the system")
    directory = tmp_path_factory.mktemp(request.param)
    made = tmp_path_factory.mktemp("bin")
    (made / "sudo").write_text(SUDO)
    (made / "sudo").chmod(0o755)
    project = directory / "project"
    project.mkdir()
    shutil.copy(ROOT / "tests" / "extensions" / "defective.c", project)
    (project / "setup.py").write_text(SETUP)
    (project / "test_project.py").write_text(TESTS)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "scratch"\nversion = "0"\n'
    )
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True)
    environment = {
        **of_checkout,
        **WORKFLOW["env"],
        "GITHUB_ACTIONS": "true",
        "PATH": os.pathsep.join([str(directory / "venv/bin"), str(made), of_checkout["PATH"]]),
    }
    codes, outputs = {}, {}
    for step in steps(request.param, "run"):
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        codes[step["name"]] = done.returncode
        outputs[step["name"]] = done.stdout + done.stderr
    return JobRun(project, codes, outputs)


def test_steps_end_as_they_should(job: JobRun) -> None:
    """All works, and the check fails, as a test leaks."""
    assert job.codes == {"Install": 0, "Check": 1}, job.outputs


def test_leak_is_found(job: JobRun) -> None:
    """On its test, and on no other."""
    assert "1 failed, 1 passed" in job.outputs["Check"]
    assert "1,000 bytes in 1 block is definitely lost" in job.outputs["Check"]


def test_leak_is_annotated_at_its_line(job: JobRun) -> None:
    """As GitHub shows it."""
    assert "::error file=defective.c,line=" in job.outputs["Check"]


def test_files_are_there_for_the_actions(job: JobRun) -> None:
    """SARIF for code scanning, and all of them as an artifact."""
    names = {path.name for path in job.directory.glob("memory.*")}
    assert names == {"memory.html", "memory.sarif", "memory.xml"}
    (run,) = json.loads((job.directory / "memory.sarif").read_text())["runs"]
    (result,) = run["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == "defective.c"


@pytest.mark.parametrize("name", JOBS)
def test_actions_take_these_files(name: str) -> None:
    """The names of the files stand in the steps that write them, and in those that take them."""
    taken = {step["uses"].partition("@")[0]: step["with"] for step in steps(name, "uses")[2:]}
    assert taken["github/codeql-action/upload-sarif"]["sarif_file"] == "memory.sarif"
    assert taken["actions/upload-artifact"]["path"] == "memory.*"


def test_every_event_runs_one_job() -> None:
    """A push and a pull request run the native engine, and the night runs valgrind."""
    assert set(ON) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert JOBS["heapcheck"]["if"] == "github.event_name != 'schedule'"
    assert "schedule" in JOBS["valgrind"]["if"]
