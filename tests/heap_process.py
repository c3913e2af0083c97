"""Processes with the native heap engine, for tests of what it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from pytest_valgrind import preload
from pytest_valgrind.heap.engine import VARIABLE

HEAP = preload.heap()
needs_engine = pytest.mark.skipif(HEAP is None, reason="Linux only")

PRELUDE = """
import ctypes, gc, json, os, sys
from pytest_valgrind.heap.engine import Engine

WCLONE = -0x80000000
engine = Engine()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
malloc.argtypes = [ctypes.c_size_t]
incref = ctypes.pythonapi.Py_IncRef
incref.argtypes = [ctypes.py_object]

def lost(untracks=True):
    gc.collect()
    os.waitpid(engine.start_check(0, untracks=untracks), WCLONE)
    assert engine.is_done(0)
    return [[block.place, block.size, block.keeper != 0] for block in engine.lost(0)]
"""


def run(source: str, **variables: str) -> Any:
    """Run Python code with the engine, and return what it has printed as JSON."""
    assert HEAP is not None
    environment = {
        **os.environ,
        VARIABLE: "",
        "LD_PRELOAD": str(HEAP),
        "PYTHONMALLOC": "malloc",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
