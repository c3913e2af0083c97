"""Leaks of what the standard library gives, one a test; the marker is that of test_python.py."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import concurrent.futures
import configparser
import contextlib
import copyreg
import ctypes
import decimal
import hashlib
import itertools
import mmap
import multiprocessing
import os
import pickle
import queue
import random
import re
import sched
import select
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import zlib
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
sections = configparser.ConfigParser()
parser = argparse.ArgumentParser()
called = mock.Mock()
stack = contextlib.ExitStack()
plan = sched.scheduler()
mapped = Path(__file__)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)


@named("open: socket")
def test_socket() -> None:
    socket.socket().detach()


@named("open: socket")
def test_pair_of_sockets() -> None:
    kept.extend(socket.socketpair())


@named("open: socket")
def test_server() -> None:
    kept.append(socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler))


@named("test_library.py")
def test_file() -> None:
    kept.append(mapped.open())


@named("open: /dev/null")
def test_descriptor() -> None:
    os.open(os.devnull, os.O_RDONLY)


@named("open: pipe")
def test_pipe() -> None:
    os.pipe()


@named("open: /dev/null")
def test_duplicate() -> None:
    number = os.open(os.devnull, os.O_RDONLY)
    os.dup(number)
    os.close(number)


@named("open: ")
def test_temporary_file() -> None:
    _, name = tempfile.mkstemp()
    Path(name).unlink()


@named("open: anon_inode:[eventpoll]")
def test_epoll() -> None:
    kept.append(select.epoll())


@named("open: /memfd:leaking")
def test_memory_file() -> None:
    os.memfd_create("leaking")


@named("open: ")
def test_directory() -> None:
    entries = os.scandir()
    next(entries)
    kept.append(entries)


@named("open: ")
def test_event_loop() -> None:
    kept.append(asyncio.new_event_loop())


@named("list test_library.kept grows by 1 a run")
def test_process() -> None:
    kept.append(subprocess.Popen(["sleep", "60"]))


@named("open: pipe")
def test_pipe_of_process() -> None:
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        os.dup(process.stdout.fileno())


@named("open: ")
def test_pipe_of_multiprocessing() -> None:
    kept.append(multiprocessing.Pipe())


@named("threads run: Thread-")
def test_timer() -> None:
    timer = threading.Timer(600, print)
    timer.daemon = True
    timer.start()


@named("threads run: ThreadPoolExecutor")
def test_executor() -> None:
    executor = concurrent.futures.ThreadPoolExecutor(1)
    executor.submit(int).result()
    kept.append(executor)


@named("mmap.mmap")
def test_anonymous_map() -> None:
    kept.append(mmap.mmap(-1, 1 << 16))


@named("mmap.mmap")
def test_map_of_file() -> None:
    with mapped.open("rb") as file:
        kept.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@named("SharedMemory")
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


@named("sqlite3.Connection")
def test_database_in_memory() -> None:
    kept.append(sqlite3.connect(":memory:"))


@named("sqlite3.Cursor")
def test_cursor() -> None:
    connection = sqlite3.connect(":memory:")
    kept.append(connection.execute("select 1"))


@named("list test_library.kept grows by 1 a run")
def test_decimal_context() -> None:
    kept.append(decimal.Context(prec=next(numbers)))


@named("dict test_library.patterns grows by 1 a run")
def test_compiled_patterns() -> None:
    text = f"a{{{next(numbers)}}}"
    patterns[text] = re.compile(text)


@named("queue.Queue")
def test_queue() -> None:
    waiting.put({})


@named("test_library.pickler")
def test_memo_of_pickler() -> None:
    pickler.dump([str(next(numbers))])


@named("test_library.tree")
def test_element() -> None:
    ElementTree.SubElement(tree, "child")


@named("minidom.Element")
def test_node_of_document() -> None:
    root.appendChild(document.createElement("child"))


@named("function")
def test_codec() -> None:
    codecs.register(lambda _: None)


@named("dict copyreg.dispatch_table grows by 1 a run")
def test_reducer() -> None:
    copyreg.pickle(type(f"Kind{next(numbers)}", (), {}), repr)


@named("ConfigParser")
def test_section() -> None:
    sections.add_section(str(next(numbers)))


@named("ArgumentParser")
def test_argument() -> None:
    parser.add_argument(f"--option-{next(numbers)}")


@named("mock")
def test_calls_of_mock() -> None:
    called(next(numbers))


@named("ExitStack")
def test_exit_stack() -> None:
    stack.callback(print, next(numbers))


@named("scheduler")
def test_scheduled_event() -> None:
    plan.enter(3600, 1, print)


@named("list test_library.kept grows by 1 a run")
def test_compressor() -> None:
    kept.append(zlib.compressobj())


@named("list test_library.kept grows by 1 a run")
def test_hash() -> None:
    kept.append(hashlib.sha256())


@named("list test_library.kept grows by 1 a run")
def test_ssl_context() -> None:
    kept.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@named("list test_library.kept grows by 1 a run")
def test_random_generator() -> None:
    kept.append(random.Random(next(numbers)))


@named("warnoptions")
def test_options_of_warnings() -> None:
    sys.warnoptions.append("ignore")
