"""What pytest-leaks, psleak and pytest-memray find in the catalogue, each in one run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from catalogue_suite import SECONDS, Found, build_suite
from environments import PYENV, Run, available, make_environment, run_suite_natively, say

RELEASE = str(PYENV / "3.11.7" / "bin" / "python")
DEBUG = "/usr/bin/python3.11-dbg"
LEAKS, PSLEAK, MEMRAY = "pytest-leaks==0.3.1", "psleak==0.1.6", "pytest-memray==1.11.0"
_MEMRAY_TEST = """\
import pytest, kinds
ALL = {{**kinds.LEAKS, **kinds.INNOCENT}}
def cases(names): return pytest.mark.parametrize("kind", list(names))
@cases(kinds.LEAKS)
@pytest.mark.limit_leaks("{limit}")
def test_leak(kind):
    for _ in range({times}): ALL[kind]()
@cases(kinds.INNOCENT)
@pytest.mark.limit_leaks("{limit}")
def test_innocent(kind):
    for _ in range({times}): ALL[kind]()
"""
_PSLEAK_TEST = """\
import psleak, pytest, kinds
ALL = {**kinds.LEAKS, **kinds.INNOCENT}
class Case(psleak.MemoryLeakTestCase):
    def runTest(self): pass
def check(kind):
    case = Case(); case.setUp()
    try: case.execute(ALL[kind])
    finally: case.tearDown(); case.doCleanups()
@pytest.mark.parametrize("kind", list(kinds.LEAKS))
def test_leak(kind): check(kind)
@pytest.mark.parametrize("kind", list(kinds.INNOCENT))
def test_innocent(kind): check(kind)
"""


class Peer(NamedTuple):
    """A tool, and how it is run."""

    name: str
    interpreter: str
    needs: tuple[str, ...]
    words: tuple[str, ...] = ()  #: of pytest's command line
    test: str = ""  #: the only test module, in place of the catalogue's own
    variables: tuple[str, ...] = ()  #: of its environment, ``NAME=value``
    names: bool = False  #: whether it says of each where it was allocated


PEERS = (
    Peer("pytest-leaks `-R :`, debug build", DEBUG, (LEAKS,), ("-R", ":")),
    Peer(
        "psleak, as by default",
        RELEASE,
        (PSLEAK, "psutil==7.2.2"),
        test=_PSLEAK_TEST,
        # It skips its tests without.
        variables=("PYTHONMALLOC=malloc", "PYTHONUNBUFFERED=1"),
    ),
    *(
        Peer(
            f"pytest-memray `limit_leaks('{limit}')`, {how}",
            RELEASE,
            (MEMRAY,),
            ("--memray",),
            _MEMRAY_TEST.format(limit=limit, times=times),
            names=True,
        )
        for limit, times, how in (("1 KB", 100, "loop of 100"), ("1 B", 1, "one call"))
    ),
)


def run_peers(work: Path, folder: Path) -> Iterator[tuple[Peer, Found]]:
    """Yield each whose interpreter is there, with what it has found.

    :param folder: the catalogue.
    """
    for peer in PEERS:
        if not available([peer.interpreter]):
            continue
        say(peer.name)
        environment = make_environment(work / "peer", peer.interpreter)
        environment.install("pytest", "hypothesis", "pytest-asyncio", "setuptools", *peer.needs)
        directory = build_suite(environment, folder, peer.test)
        run = run_suite_natively(
            environment, directory, peer.words, seconds=SECONDS, variables=peer.variables
        )
        found = Found()
        found.add(run, _reported(run, peer))
        yield peer, found


def _reported(run: Run, peer: Peer) -> Iterable[str]:
    if "-R" in peer.words:
        listed = re.findall(r"^\S+?::(.+?): leaked ", run.output, re.MULTILINE)
        return [name for name in listed if name.startswith("test_")]
    return [test.name for test in run.tests or () if test.failed]
