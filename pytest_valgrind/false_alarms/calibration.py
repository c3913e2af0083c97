"""The errors that an interpreter raises by itself, measured once and known from then on.

A self-test without anybody's extension runs under valgrind; what memcheck says about it becomes
suppressions, in a file of the user's cache directory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from pytest_valgrind import preload
from pytest_valgrind.findings.finding import Finding, plural
from pytest_valgrind.findings.suppressions import MOST_PLACES, Suppression, count
from pytest_valgrind.memcheck.log_file import read_to_end
from pytest_valgrind.memcheck.log_lines import read_lines
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.memcheck.parser import Parser
from pytest_valgrind.memcheck.valgrind_info import options_from_elsewhere
from pytest_valgrind.parent_death import die_with_parent

_SELF_TEST = Path(__file__).with_name("selftest.py")
_MOST_SECONDS = 300
_CALLERS = "--num-callers"
# What changes which errors memcheck sees in the interpreter, or the functions in their stacks. All
# else is about leaks, about where and how the log is written, about freed blocks, which the
# interpreter does not use, or about the machine that valgrind simulates.
_MATTERING = (
    *("--undef-value-errors", "--partial-loads-ok", "--expensive-definedness-checks"),
    *("--ignore-ranges", "--ignore-range-below-sp", "--workaround-gcc296-bugs"),
    *("--malloc-fill", "--free-fill", "--redzone-size", "--alignment", "--soname-synonyms"),
    *("--show-mismatched-frees", "--sim-hints", "--read-inline-info", _CALLERS),
)
# Whatever was asked for: the self-test goes on after an error.
_OWN = (
    # No options from files or from VALGRIND_OPTS.
    "--command-line-only=yes",
    "--gen-suppressions=all",
    "--leak-check=no",
    "--error-limit=no",
    "--vgdb=no",
)
_VERSION = re.compile(r"\d+(\.\d+)+")
#: How many bytes of an object file tell it from others. They hold the sizes of its parts, and the
#: linker's hash of all of it (its build id), mostly; all of it would take seconds under valgrind.
_HEAD = 4096


class CalibrationError(Exception):
    """The self-test did not come to its end; the message says why."""


class Calibration:
    """What an interpreter's self-test showed, for one build of it and one valgrind.

    :param valgrind: its path or name.
    :param options: those with which the tests run.
    :param environment: in which the tests run.
    :param version: of that valgrind, if it is known.
    :param cache: directory for what was measured.
    """

    def __init__(
        self,
        valgrind: str,
        options: Sequence[str],
        environment: Mapping[str, str],
        *,
        version: str = "",
        cache: Path | None = None,
    ) -> None:
        self._valgrind = valgrind
        self._options = _mattering([*options_from_elsewhere(), *options])
        self._environment = environment
        self._version = version
        self._cache = cache or _cache()

    @cached_property
    def path(self) -> Path:
        """The file of suppressions, there or not."""
        return self._cache / f"interpreter-{self._key()}.supp"

    def noise(self, say: Callable[[str], None], *, anew: bool = False) -> str | None:
        """Return suppressions of the interpreter's own errors; measure them if need be.

        :param say: tells the user, who waits meanwhile, a part of a line.
        :param anew: whether to measure again what is known.
        :return: the text of a suppression file, None if the self-test did not come to its end.
        """
        if not anew:
            with contextlib.suppress(OSError):
                return self.path.read_text(encoding="utf-8")
        say(
            f"valgrind: a self-test finds out, once, which errors {_interpreter()} raises by "
            f"itself ({self._duration}): "
        )
        start = time.perf_counter()
        try:
            text = self._measured()
        except CalibrationError as error:
            say(f"it failed: {error}\n")
            return None
        seconds = time.perf_counter() - start
        try:
            self._keep(self.path, text)
            self._keep(self._time, f"{seconds:.0f}\n")
        except OSError as error:
            where = f"not kept, as {self._cache} cannot be written ({error.strerror})"
        else:
            where = f"kept in {self.path}"
        say(f"{plural(count(text), 'context')} in {seconds:.0f} s, {where}\n")
        return text

    @property
    def _time(self) -> Path:
        """The file that says how many seconds a self-test took on this machine."""
        return self._cache / "seconds"

    @property
    def _duration(self) -> str:
        try:
            return f"about {int(self._time.read_text())} s"
        except (OSError, ValueError):
            return "which may take a minute"

    def _measured(self) -> str:
        try:
            # Files without names, of which nothing is left whoever is killed.
            with tempfile.TemporaryFile() as log, tempfile.TemporaryFile() as memory_map:
                self._run(log.fileno(), memory_map.fileno())
                lines = self._suppressions(_errors(_path(log.fileno()), _path(memory_map.fileno())))
                return "".join(f"{line}\n" for line in lines)
        except OSError as error:
            raise CalibrationError(f"it has no room for a log ({error.strerror})") from None

    def _keep(self, path: Path, text: str) -> None:
        if not self._cache.is_absolute():
            raise OSError(errno.ENOENT, "no home directory")
        self._cache.mkdir(parents=True, exist_ok=True)
        # Other runs may be at the same, or read it.
        with tempfile.NamedTemporaryFile(
            "w", dir=self._cache, encoding="utf-8", delete=False
        ) as file:
            file.write(text)
        Path(file.name).replace(path)

    def _run(self, log: int, memory_map: int) -> None:
        """Run the self-test.

        :param log: descriptor of the file that becomes valgrind's log.
        :param memory_map: of the one for where object files are mapped.
        """
        command = [self._valgrind, *_OWN, *self._options, f"--log-fd={log}"]
        # Without site packages, and whatever an unfinished interpreter warns about.
        command += [sys.executable, "-S", "-W", "ignore", str(_SELF_TEST), str(_path(memory_map))]
        present = self._environment.get(preload.NAME)
        environment = {
            **self._environment,
            "PYTHONMALLOC": "malloc",
            **preload.changes([preload.repairs()], present),
        }
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=_MOST_SECONDS,
                check=False,
                pass_fds=(log, memory_map),
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise CalibrationError(f"{self._valgrind} does not start: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise CalibrationError(f"it took more than {_MOST_SECONDS} seconds") from None
        if os.fstat(log).st_size == 0:
            # It will say why to those who run their tests under it.
            raise CalibrationError("valgrind does not start")
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise CalibrationError(f"it ended with exit code {done.returncode}: {last}")

    def _suppressions(self, errors: Iterable[Finding]) -> Iterator[str]:
        yield f"# Errors of {_interpreter()} itself, by pytest-valgrind's self-test."
        found = ((Suppression.of_noise(error), error) for error in errors)
        for suppression, error in {key: value for key, value in found if key}.items():
            yield from suppression.lines(f"{_interpreter()} by itself: {error.message}")

    def _key(self) -> str:
        """Return what tells this interpreter, valgrind and repairs from all others.

        By contents: where they are and how old they are does not matter, nor which virtual
        environment it is.
        """
        version = self._version or version_of(self._valgrind)
        facts = [sys.version, *platform.libc_ver(), version, *self._options]
        programs = [sys.executable, _library(), shutil.which(self._valgrind) or self._valgrind]
        contents = [*map(_head, programs), _contents(_SELF_TEST), _contents(preload.repairs())]
        digest = hashlib.sha256("\0".join(facts).encode(errors="replace"))
        for data in contents:
            digest.update(hashlib.sha256(data).digest())
        return digest.hexdigest()[:16]


def _errors(log: Path, maps: Path) -> Iterator[Finding]:
    mapped = maps.read_text().splitlines()
    if not mapped:
        raise CalibrationError("it did not come to its end")
    objects = ObjectFiles(lambda: mapped)
    yield from Parser(objects.at, objects.owner).findings(read_lines(read_to_end(log)))


def _mattering(options: Iterable[str]) -> list[str]:
    """Return the options of valgrind that may change what the self-test shows."""
    given = (option.partition("=") for option in options)
    chosen = {name: value for name, _, value in given if name in _MATTERING}
    with contextlib.suppress(KeyError, ValueError):
        # Deeper stacks make no other suppressions.
        chosen[_CALLERS] = str(min(int(chosen[_CALLERS]), MOST_PLACES))
    return [f"{name}={value}" for name, value in sorted(chosen.items())]


def _head(path: str) -> bytes:
    """Return what tells an object file from others: its size and its head."""
    try:
        with Path(path).open("rb") as file:
            return b"%d %b" % (os.fstat(file.fileno()).st_size, file.read(_HEAD))
    except OSError:
        return b""


def _contents(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path else b""
    except OSError:
        return b""


def _path(descriptor: int) -> Path:
    """Return a path to an open file, for this process and for those that inherit it."""
    return Path("/proc/self/fd", str(descriptor))


def version_of(valgrind: str) -> str:
    """Return the version of a valgrind, empty if it does not say."""
    try:
        done = subprocess.run(
            [valgrind, "--version"], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError:
        return ""
    match = _VERSION.search(done.stdout)
    return match[0] if match else ""


def _interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def _library() -> str:
    """Return the path of the shared library that the interpreter is in, if it is in one."""
    name = sysconfig.get_config_var("INSTSONAME") or sysconfig.get_config_var("LDLIBRARY")
    return str(Path(sysconfig.get_config_var("LIBDIR") or "/", str(name)))


def _cache() -> Path:
    # Imported by whoever measures or looks up, not by every process that only has the plugin.
    from platformdirs import user_cache_path

    return user_cache_path("pytest-valgrind")
