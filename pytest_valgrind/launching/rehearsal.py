"""The start of a session, natively and in a fork: mistakes show in a second, not in twenty.

The fork does what pytest does before it configures itself: it reads the whole command line and the
ini file, imports the plugins and the initial conftests, and looks whether the arguments are there.
What conftests do to their process goes with the fork. Test modules are not imported.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import tempfile
from typing import BinaryIO

import pytest

from pytest_valgrind.parent_death import die_with_parent

#: By which pytest knows the plugin.
NAME = "valgrind_rehearsal"


class Rehearsal:
    """Ends a session when pytest would configure itself and collect tests."""

    #: By which pytest knows it.
    __name__ = NAME

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Check what can be checked without an import.

        :raises pytest.UsageError: if a file, or an expression of ``-k`` or ``-m``, is a mistake.
        """
        if not config.option.pyargs:
            for argument in config.args:
                path = argument.partition("[")[0].partition("::")[0]
                if not (config.invocation_params.dir / path).exists():
                    raise pytest.UsageError(f"file or directory not found: {argument}")
        marks = config.pluginmanager.get_plugin("mark")
        if marks is not None:
            # It reads the expressions before it looks at the tests, of which there are none.
            marks.pytest_collection_modifyitems([], config)
        return pytest.ExitCode.OK


def rehearse(config: pytest.Config) -> None:
    """Rehearse the start of the session of this process.

    :raises SystemExit: if it fails; it has said then why.
    """
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 (names, no paths)
        return  # a fork lacks these threads, and may wait for ever for their locks
    with contextlib.ExitStack() as stack:
        try:
            output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        except OSError:
            return  # the launcher has a sentence about it
        if code := _exit_code_of_fork(config, output, errors):
            for file, stream in ((output, sys.stdout), (errors, sys.stderr)):
                file.seek(0)
                stream.write(file.read().decode(errors="replace"))
                stream.flush()
            raise SystemExit(code)


def _exit_code_of_fork(config: pytest.Config, output: BinaryIO, errors: BinaryIO) -> int:
    """Rehearse and return pytest's exit code, 0 also if that is not known.

    :param output: file for what is printed.
    :param errors: the same for errors.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    with open(reader, "rb") as answer:  # noqa: PTH123 (a descriptor)
        pid = os.fork()
        if pid == 0:
            _run(config, output, errors, writer)
        os.close(writer)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:  # this process was started to ignore its children
            pass
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        # Without one, it was ended by a signal or os._exit, of which valgrind's run will tell.
        os.set_blocking(reader, False)
        return int(answer.read() or 0)


def _run(config: pytest.Config, output: BinaryIO, errors: BinaryIO, answer: int) -> None:
    """Rehearse in a fork, which ends here.

    :param answer: a descriptor for the exit code.
    """
    code = 0
    # What this process does at its end is not for the fork to do; what conftests register there is.
    atexit._clear()
    try:
        die_with_parent()
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        given = config.invocation_params
        code = int(pytest.main(list(given.args), plugins=[*(given.plugins or ()), Rehearsal()]))
        atexit._run_exitfuncs()
    except BaseException:  # a SystemExit as well: it may be another under valgrind
        pass
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(answer, str(code).encode())
        os._exit(code)
