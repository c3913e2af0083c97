"""Leaks of what the standard library gives, one a test; the marker is that of test_python.py."""

from __future__ import annotations

import asyncio
import codecs
import concurrent.futures
import contextlib
import ctypes
import decimal
import itertools
import mmap
import os
import pickle
import queue
import re
import select
import socket
import sqlite3
import ssl
import subprocess
import tempfile
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any
from unittest import mock
from xml.dom import minidom
from xml.etree import ElementTree

import pytest

named = pytest.mark.named
numbers = itertools.count(1000)
kept: list[object] = []
patterns: dict[str, re.Pattern[str]] = {}
waiting: queue.Queue[object] = queue.Queue()
pickler = pickle.Pickler(open(os.devnull, "wb"))  # noqa: PTH123, SIM115
tree = ElementTree.Element("root")
document = minidom.parseString("<root/>")
root: Any = document.documentElement
called = mock.Mock()
stack = contextlib.ExitStack()
mapped = Path(__file__)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)


@named("open: socket")
def test_socket() -> None:
    socket.socket().detach()


@named("open: ")
def test_file() -> None:
    kept.append(mapped.open())


@named("open: /dev/null")
def test_descriptor() -> None:
    os.open(os.devnull, os.O_RDONLY)


@named("open: pipe")
def test_pipe() -> None:
    os.pipe()


@named("open: files in /tmp")
def test_temporary_file() -> None:
    _, name = tempfile.mkstemp()
    Path(name).unlink()


@named("open: anon_inode:[eventpoll]")
def test_epoll() -> None:
    kept.append(select.epoll())


@named("open: /memfd:leaking")
def test_memory_file() -> None:
    os.memfd_create("leaking")


@named("open: /")
def test_directory() -> None:
    entries = os.scandir()
    next(entries)
    kept.append(entries)


@named("open: anon_inode:[eventpoll]")
def test_event_loop() -> None:
    kept.append(asyncio.new_event_loop())


@named("list test_library.kept grows by 1 a run")
def test_process() -> None:
    kept.append(subprocess.Popen(["sleep", "60"]))


@named("threads run: ThreadPoolExecutor")
def test_executor() -> None:
    executor = concurrent.futures.ThreadPoolExecutor(1)
    executor.submit(int).result()
    kept.append(executor)


@named("mmap.mmap: 1 more a run, held by list test_library.kept")
def test_anonymous_map() -> None:
    kept.append(mmap.mmap(-1, 1 << 16))


@named("mmap.mmap: 1 more a run, held by list test_library.kept")
def test_map_of_file() -> None:
    with mapped.open("rb") as file:
        kept.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@named("open: files in /dev/shm")
def test_shared_memory() -> None:
    memory = shared_memory.SharedMemory(create=True, size=4096)
    memory.unlink()
    kept.append(memory)


@named("list test_library.kept grows by 1 a run")
def test_callback_of_ctypes() -> None:
    kept.append(CALLBACK(lambda: 0))


@named("list test_library.kept grows by 1 a run")
def test_buffer_of_ctypes() -> None:
    kept.append(ctypes.create_string_buffer(1000))


@named("sqlite3.Connection: 1 more a run, held by list test_library.kept")
def test_database_in_memory() -> None:
    kept.append(sqlite3.connect(":memory:"))


@named("list test_library.kept grows by 1 a run")
def test_decimal_context() -> None:
    kept.append(decimal.Context(prec=next(numbers)))


@named("dict test_library.patterns grows by 1 a run")
def test_compiled_patterns() -> None:
    text = f"a{{{next(numbers)}}}"
    patterns[text] = re.compile(text)


@named("collections.deque queue.Queue.queue grows by 1 a run")
def test_queue() -> None:
    waiting.put({})


@named("held by _pickle.Pickler test_library.pickler")
def test_memo_of_pickler() -> None:
    pickler.dump([str(next(numbers))])


@named("held by xml.etree.ElementTree.Element test_library.tree")
def test_element() -> None:
    ElementTree.SubElement(tree, "child")


@named("")
def test_codec() -> None:
    codecs.register(lambda _: None)


@named("unittest.mock.Mock._mock_call_args_list grows by 1 a run")
def test_calls_of_mock() -> None:
    called(next(numbers))


@named("collections.deque contextlib.ExitStack._exit_callbacks grows by 1 a run")
def test_exit_stack() -> None:
    stack.callback(print, next(numbers))


@named("list test_library.kept grows by 1 a run")
def test_ssl_context() -> None:
    kept.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
