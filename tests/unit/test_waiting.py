"""Who gets which signal while one process waits for another."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from suite import INTERRUPTIBLE

#: A process that counts interrupts for a while; what it is asked to print stands in the last line.
COUNTS = """
import os, signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
{first}
start = time.monotonic()
while time.monotonic() - start < {seconds}:
    time.sleep(0.1)
print(len(seen))
"""
WAITS = """
import os, signal, subprocess, sys
from pytest_valgrind.launching import waiting
{first}
child = {child!r}
asked = []
def progress():
    asked.append(1)
    return {progress!r}[min(len(asked), len({progress!r})) - 1]
with waiting.Waiting() as held:
    words = [sys.executable, '-c', child]
    process = subprocess.Popen(words, preexec_fn=lambda: held.prepare(set()))
    code = held.end_of(process, progress)
print(code, held.was_interrupted, *map(int, held.forwarded))
"""


def wait(
    progress: tuple[str, ...], child: str, *, first: str = "", seconds: float = 3.5
) -> list[str]:
    """Have a process wait for one that counts; return what the two print.

    :param child: code that the child begins with.
    :param first: code that the waiting process begins with.
    :param seconds: that the child takes.
    """
    code = WAITS.format(
        first=first, child=COUNTS.format(first=child, seconds=seconds), progress=progress
    )
    done = subprocess.run(
        [*INTERRUPTIBLE, sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


INTERRUPT_PARENT = "os.kill(os.getppid(), signal.SIGINT)"
INTERRUPT_GROUP = "os.killpg(0, signal.SIGINT)"


def test_interrupt_of_the_waiting_process_alone() -> None:
    """It is passed on when the other process has not been interrupted."""
    assert wait(("runs", "runs"), INTERRUPT_PARENT) == ["1", "0 True"]


def test_interrupt_of_the_process_group() -> None:
    """The other process has got it, and gets it once."""
    assert wait(("runs", "is interrupted"), INTERRUPT_GROUP) == ["1", "0 True"]


def test_interrupt_of_the_process_group_that_the_other_has_noticed_first() -> None:
    """It gets no second one, which would end its last leak check."""
    assert wait(("is interrupted",), INTERRUPT_GROUP, seconds=1) == ["1", "0 True"]


def test_interrupt_by_the_terminal() -> None:
    """It goes to both, whatever the other process has said by then."""
    child = COUNTS.format(first="print('ready', flush=True)", seconds=3.5)
    code = WAITS.format(first="", child=child, progress=("runs",))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(INTERRUPTIBLE[0], [*INTERRUPTIBLE, sys.executable, "-c", code])
    output = b""
    with contextlib.suppress(OSError):  # the end, for a terminal
        while data := os.read(terminal, 4096):
            output += data
            if output.endswith(b"ready\r\n"):
                os.write(terminal, b"\x03")
    os.close(terminal)
    os.waitpid(pid, 0)
    assert output.replace(b"^C", b"").split()[-3:] == [b"1", b"0", b"True"]


def test_second_interrupt() -> None:
    """It is passed on at once; the first may be what has interrupted the other process."""
    twice = f"{INTERRUPT_PARENT}; time.sleep(0.3); {INTERRUPT_PARENT}"
    assert wait(("is interrupted",), twice, seconds=1) == ["1", "0 True"]


def test_interrupt_while_the_process_starts() -> None:
    """It has nothing to lose."""
    assert wait(("starts",), INTERRUPT_PARENT) == ["-9 True"]


def test_interrupts_that_are_ignored() -> None:
    """A shell starts background jobs like this."""
    ignoring = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    child = f"assert signal.getsignal(2) is not None; {INTERRUPT_PARENT}"
    assert wait(("runs", "runs"), child, first=ignoring, seconds=1) == ["0", "0 False"]


def test_termination() -> None:
    """It is passed on at once."""
    assert wait(("starts",), "os.kill(os.getppid(), signal.SIGTERM)") == ["-15 False 15"]


def test_children_that_are_ignored() -> None:
    """Their exit code is known all the same, and a child inherits the state."""
    ignoring = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    child = "print(signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN, flush=True); os._exit(7)"
    assert wait(("runs",), child, first=ignoring) == ["True", "7 False"]


def test_child_has_the_mask_of_its_parent() -> None:
    """Nothing stays blocked in it."""
    child = "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True); os._exit(0)"
    assert wait(("runs",), child) == ["set()", "0 False"]


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """It does, whatever ends the parent."""
    life, ours = os.pipe()
    code = (
        "import os, signal, subprocess, sys\n"
        "from pytest_valgrind.parent_death import die_with_parent\n"
        "subprocess.Popen(['sleep', '100'], preexec_fn=die_with_parent, close_fds=False)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([sys.executable, "-c", code], pass_fds=[ours], check=True, cwd=tmp_path)
    os.close(ours)
    with os.fdopen(life, "rb") as file:
        assert file.read() == b""  # until nobody has the other end
