"""The self-test: what an interpreter does in any test suite, without extensions.

Runs under valgrind in a process of its own, ``python selftest.py FILE``: what memcheck says about
this is the interpreter's. In the end the file holds where object files are mapped (proc(5)).
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# What shows something, waits for somebody, or cannot be undone.
_LEFT_OUT = {
    "_tkinter",
    "antigravity",
    "readline",
    "this",
    "xxlimited",
    "xxlimited_35",
    "xxsubtype",
}


def main() -> None:
    """Do everything.

    What this build of the interpreter lacks, or does not do under valgrind, is passed over.
    """
    for exercise in EXERCISES:
        with contextlib.suppress(Exception):
            exercise()
    Path(sys.argv[1]).write_text(Path("/proc/self/maps").read_text())


def _imports() -> None:
    for name in sorted(_extension_modules()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _extension_modules() -> Iterator[str]:
    directories = [path for path in sys.path if Path(path).name == "lib-dynload"]
    found = {
        *sys.builtin_module_names,
        *(found.name for found in pkgutil.iter_modules(directories)),
    }
    for name in found:
        if name not in _LEFT_OUT and not name.startswith(("_test", "_xx", "_ctypes_test")):
            yield name


def _numbers() -> None:
    import cmath
    import decimal
    import fractions
    import math
    import random
    import statistics
    import struct

    for size in (1, 2, 7, 8, 40):
        for number in (0, 1, -1, 255, 2**61):
            with contextlib.suppress(OverflowError):
                kept = int.from_bytes(number.to_bytes(size, "little", signed=True), "big")
                assert {kept, kept + 0, kept * 0} and [None] * (kept & 0) == []
    assert int("0" * 30) == 0 and divmod(10**40, 10**39) == (10, 0) and (1 << 100) >> 100 == 1
    assert struct.unpack("<bBhHiIqQfd", struct.pack("<bBhHiIqQfd", *[0] * 10))[0] == 0
    assert math.isqrt(10**30) and cmath.sqrt(-1) and fractions.Fraction("0.5")
    assert str(decimal.Decimal(10) / 3) and statistics.fmean([0, 1])
    random.seed(0)
    assert (
        sorted(random.sample(range(1000), 100))
        and f"{0.1:.3f}"
        and float("1e-320")
        and round(0.5) == 0
    )


def _texts() -> None:
    import codecs
    import difflib
    import re
    import string
    import textwrap
    import unicodedata

    words = ["", "a", "é", "Ω", "漢字", "😀" * 9, "😀" * 8 + "🙂", *string.printable]
    assert sorted(words) and {word: word.casefold() for word in words}
    for encoding in (
        "utf-8",
        "utf-16",
        "utf-32",
        "latin-1",
        "ascii",
        "cp1252",
        "euc_jp",
        "gb18030",
    ):
        for word in words:
            with contextlib.suppress(UnicodeError):
                assert codecs.decode(codecs.encode(word, encoding), encoding) == word
    assert re.sub(r"(?i)(\w+)\s*=\s*(\d+)", r"\2=\1", "Key = 42\n" * 20)
    assert unicodedata.normalize("NFKD", "ﬁé") and difflib.unified_diff(["a"], ["b"])
    assert textwrap.wrap("word " * 50, 30) and "a,b".partition(",") and f"{'é'!r:>9}"


def _data() -> None:
    import array
    import base64
    import binascii
    import collections
    import copy
    import datetime
    import heapq
    import itertools
    import json
    import pickle
    import uuid

    data: dict[str, Any] = {"a": [0, 1.5, None, True, "é", {"b": (0, 2**70)}], "c": b"\0" * 300}
    assert pickle.loads(pickle.dumps(data)) == copy.deepcopy(data)
    assert json.loads(json.dumps(data["a"][:5]))
    assert base64.b64decode(base64.b64encode(bytes(range(256)))) and binascii.crc32(b"abc")
    assert array.array("d", [0, 1]).tobytes() and memoryview(bytearray(64))[3:9].tolist()
    assert datetime.datetime.now(datetime.timezone.utc).isoformat() and uuid.uuid4().hex
    queue = collections.deque(itertools.islice(itertools.count(), 100), maxlen=50)
    assert (
        heapq.nsmallest(3, queue) and collections.Counter("hello") and collections.OrderedDict(a=1)
    )


def _code() -> None:
    import abc
    import ast
    import asyncio
    import dataclasses
    import enum
    import functools
    import gc
    import inspect
    import traceback
    import weakref

    source = "def f(a, *b, c=0, **d):\n    try:\n        yield a\n    finally:\n        del b\n"
    namespace: dict[str, Any] = {}
    exec(compile(ast.parse(source), "<self-test>", "exec"), namespace)
    assert list(namespace["f"](1)) and inspect.signature(namespace["f"])

    class Base(abc.ABC):  # noqa: B024
        __slots__ = ("__weakref__", "value")

    made = dataclasses.make_dataclass("Made", ["a", ("b", int, 0)])
    colour = enum.Enum("colour", "RED GREEN")
    assert made(1) == made(1) and colour(1) and weakref.ref(Base()) is not None
    try:
        raise ValueError from KeyError("cause")
    except ValueError as error:
        assert "".join(traceback.format_exception(error))
    cached = functools.lru_cache(functools.partial(pow, 2))
    assert [cached(number) for number in range(20)]

    async def wait() -> None:
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))

    asyncio.run(wait())
    gc.collect()


def _system() -> None:
    import hashlib
    import locale
    import logging
    import select
    import shutil
    import signal
    import socket
    import subprocess
    import tempfile
    import threading
    import time

    locale.setlocale(locale.LC_ALL, "")
    assert time.strftime("%c") and time.localtime() and logging.getLogger("self-test")
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "file")
        path.write_text("é\n" * 5000)
        assert path.stat().st_size and len(path.read_text().splitlines()) == 5000
        shutil.copy(path, path.with_suffix(".copy"))
        assert sorted(Path(directory).iterdir())
    threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert subprocess.run(["true"], check=False).returncode == 0
    left, right = socket.socketpair()
    left.sendall(b"\0" * 100)
    assert select.select([right], [], [], 1) and right.recv(100)
    left.close()
    right.close()
    for name in ("md5", "sha1", "sha256", "sha3_256", "blake2b"):
        assert hashlib.new(name, b"abc", usedforsecurity=False).digest()


def _libraries() -> None:
    import bz2
    import csv
    import ctypes
    import io
    import lzma
    import sqlite3
    import zlib
    from xml.etree import ElementTree

    text = b"abc" * 1000
    assert zlib.decompress(zlib.compress(text)) == bz2.decompress(bz2.compress(text)) == text
    assert lzma.decompress(lzma.compress(text)) == text
    assert list(csv.reader(io.StringIO("a,'b',\"c\"\n")))
    assert ElementTree.fromstring("<a b='c'>d</a>").text == "d"
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("create table t (a, b)")
        database.executemany("insert into t values (?, ?)", [(0, "é"), (1.5, b"b"), (None, 2**40)])
        assert database.execute("select * from t order by b").fetchall()

    class Pair(ctypes.Structure):
        _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_double)]

    numbers = (ctypes.c_int * 5)(4, 0, 3, 1, 2)
    pointer = ctypes.POINTER(ctypes.c_int)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer)
    ctypes.CDLL(None).qsort(numbers, 5, 4, compare(lambda a, b: a[0] - b[0]))
    assert list(numbers) == [0, 1, 2, 3, 4] and Pair(1, 2).b == 2


def _unittests() -> None:
    import io
    import ssl
    import unittest

    class Case(unittest.TestCase):
        def test(self) -> None:
            self.assertEqual(0, 0)

    unittest.TextTestRunner(stream=io.StringIO()).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(Case)
    )
    ssl.create_default_context()


#: Each raises an exception if what it needs is not there.
EXERCISES: tuple[Callable[[], None], ...] = (
    *(_imports, _numbers, _texts, _data, _code, _system, _libraries, _unittests),
)

if __name__ == "__main__":
    main()
