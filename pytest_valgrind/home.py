"""Where a worker of pytest-xdist's runs: how it is started there, and what it left."""

from __future__ import annotations

import shlex
import shutil
import sys
import uuid
from typing import TYPE_CHECKING, Any

from pytest_valgrind import journal, remote
from pytest_valgrind.handover import JOURNAL
from pytest_valgrind.starter import Orders, directory

if TYPE_CHECKING:
    from execnet import Gateway, Group, XSpec

    from pytest_valgrind.settings import Settings


class Home:
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
        orders = Orders(self._token, settings)
        self.spec.python = orders.command(self._python)
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
            return journal.read(directory(token) / JOURNAL)
        gateway, is_ours = self._native_gateway()
        try:
            channel: Any = gateway.remote_exec(remote)
            channel.send((str(directory(token).name), JOURNAL))
            text = channel.receive()
            assert isinstance(text, bytes)
            return text
        finally:
            if is_ours:
                gateway.exit()

    def forget(self, name: str) -> None:
        """Delete what a worker on this machine has left, which nobody needs to look at."""
        if self.is_local:
            shutil.rmtree(directory(self._tokens[name]), ignore_errors=True)

    def _native_gateway(self) -> tuple[Gateway, bool]:
        """Return a gateway to the same machine, not under valgrind, and whether it was made now."""
        if self.spec.via:
            return self._group[self.spec.via], False
        config = f"//ssh_config={self.spec.ssh_config}" if self.spec.ssh_config else ""
        return self._group.makegateway(f"ssh={self.spec.ssh}{config}//python={self._python}"), True

    def _find_python(self) -> str:
        """Return the command of the interpreter that xdist would start."""
        if self.spec.python:
            return self.spec.python
        if self.spec.via:
            return shlex.quote(self._group[self.spec.via]._rinfo().executable)
        return shlex.quote(sys.executable) if self.spec.popen else "python"
