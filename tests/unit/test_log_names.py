"""The names of logs: which is of which process."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.memcheck.log_names import LogNames, escaped, tells_apart

#: The template, the path that the log of process 1 has, and that of a fork with the id 23.
NAMES = {
    "short": ("/tmp/d01/valgrind.%p.log", "/tmp/d01/valgrind.1.log", "/tmp/d01/valgrind.23.log"),
    "digits": ("11.%p1", "/tmp/1/11.11", "/tmp/1/11.231"),
    "twice": ("%p-%p", "/tmp/1-1", "/tmp/23-23"),
    "directory moved": ("/a/1/%p.log", "/b/1/1.log", "/b/1/23.log"),
    "per cent": ("/tmp/%%p/%%p%p", "/tmp/%p/%p1", "/tmp/%p/%p23"),
    "variable": ("%q{HOME}/%q{X}.%p", "/root/1.1", "/root/1.23"),
    "variable with directory": ("%q{X}.%p", "/tmp/1/a.1", "/tmp/1/a.23"),
    "numbers": ("%n.%p.%n", "/tmp/1.1.2", "/tmp/3.23.4"),
    "line end": ("a\n%p", "/tmp/b\n/a\n1", "/tmp/b\n/a\n23"),
}


@pytest.mark.parametrize(("template", "own", "fork"), NAMES.values(), ids=NAMES)
def test_found(template: str, own: str, fork: str) -> None:
    """The log of one process leads to those of its forks, and to the template of all."""
    names = LogNames.found(template, Path(own), 1)
    assert names is not None
    assert names.of(1) == Path(own)
    assert names.of_fork(23) == Path(fork)
    assert names.pid_in(Path(fork).name) == 23
    assert names.pid_in(f"{Path(fork).name}x") is None
    assert LogNames.expected(names.template_of_forks, {}).of(23) == Path(fork)


NOT_APART = {
    "none": ("", "/tmp/x"),
    "no pid": ("/tmp/1.log", "/tmp/1.log"),
    "escaped": ("/tmp/%%p.log", "/tmp/%p.log"),
    "in the directory": ("/tmp/%p/log", "/tmp/1/log"),
    "renamed": ("/tmp/%p.log", "/tmp/2.log"),
}


@pytest.mark.parametrize(("template", "own"), NOT_APART.values(), ids=NOT_APART)
def test_not_told_apart(template: str, own: str) -> None:
    """Digits that mean something else are no process id."""
    assert LogNames.found(template, Path(own), 1) is None
    assert tells_apart(template) == (own == "/tmp/2.log")


def test_expected() -> None:
    """The name is known before the process is."""
    template = f"{escaped('/tmp/%p')}/%q{{NAME}}%p%q{{MISSING}}.%n"
    assert LogNames.expected(template, {"NAME": "%n"}).of(7) == Path("/tmp/%p/%n7.1")
