"""Where a pytest-xdist worker runs: how it is started there, and what it left."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_valgrind import pytest_internals
from pytest_valgrind.launching.run_directory import JOURNAL
from pytest_valgrind.recovery import journal_end
from pytest_valgrind.workers import send_file
from pytest_valgrind.workers.start_worker import StartRequest, directory

if TYPE_CHECKING:
    from execnet import Gateway, Group, XSpec
    from xdist.workermanage import NodeManager

    from pytest_valgrind.settings import Settings


class WorkerLocation:
    """The place of one worker at a time, by its specification for execnet.

    What was a socket becomes a process that the server there starts: the server's own interpreter
    runs already, and not under valgrind.

    :param group: of gateways, of which the worker's will be one.
    """

    def __init__(self, spec: XSpec, group: Group) -> None:
        self.spec = spec
        self._group = group
        self._tokens: dict[str, str] = {}
        self._token = ""
        self._starts_as_process = bool(spec.popen or spec.socket)
        self._is_socket = bool(spec.socket)
        if spec.socket:
            server = group.makegateway(f"socket={spec.socket}//id={spec.id}-server")
            spec.socket, spec.via = None, server.id
        self._python = self._find_python()

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, started from here."""
        return self._starts_as_process and not self.spec.via

    def prepare(self, settings: Settings) -> None:
        """Have the next worker here started under valgrind."""
        self._token = uuid.uuid4().hex
        request = StartRequest(self._token, settings)
        self.spec.python = request.command(self._python)
        if self._starts_as_process:
            self.spec.popen = True

    def started(self, gateway: Gateway) -> None:
        """Take note of the worker that runs here."""
        self._tokens[gateway.id] = self._token
        if self._is_socket:
            # From here on xdist must take it for the other machine that it is: with paths of its
            # own, and files to be sent.
            self.spec.popen = None

    def fetch(self, name: str) -> bytes:
        """Return the journal of a worker.

        :param name: of its gateway.
        """
        token = self._tokens.get(name, self._token)
        if self.is_local:
            return journal_end.read(directory(token) / JOURNAL)
        with self._native_gateway() as gateway:
            channel: Any = gateway.remote_exec(send_file)
            channel.send((str(directory(token).name), JOURNAL))
            text = channel.receive()
            assert isinstance(text, bytes)
            return text

    def send_files(self, manager: NodeManager) -> None:
        """Send what pytest-xdist would send to the worker, which would take it under valgrind."""
        if manager.roots and not (self.is_local and not self.spec.chdir):
            with self._native_gateway() as gateway:
                manager.rsync_roots(gateway)
            pytest_internals.note_as_sent(manager, self.spec)

    def forget(self, name: str) -> None:
        """Delete what a worker on this machine has left, which nobody needs to look at."""
        if self.is_local:
            shutil.rmtree(directory(self._tokens[name]), ignore_errors=True)

    @contextlib.contextmanager
    def _native_gateway(self) -> Iterator[Gateway]:
        """Give a gateway to the same machine and directory that is not under valgrind."""
        given = {
            "ssh": self.spec.ssh,
            "ssh_config": self.spec.ssh_config,
            "via": self.spec.via,
            "python": self._python,
            "chdir": self.spec.chdir,
        }
        words = [f"{name}={value}" for name, value in given.items() if value]
        if not self.spec.ssh:
            words.insert(0, "popen")
        gateway = self._group.makegateway("//".join(words))
        try:
            yield gateway
        finally:
            gateway.exit()

    def _find_python(self) -> str:
        """Return the command of the interpreter that xdist would start."""
        if self.spec.python:
            return self.spec.python
        if self.spec.via:
            return shlex.quote(self._group[self.spec.via]._rinfo().executable)
        return shlex.quote(sys.executable) if self.spec.popen else "python"
