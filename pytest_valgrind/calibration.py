"""The errors that an interpreter raises by itself, measured once and known from then on.

A self-test without anybody's extension runs under valgrind; what memcheck says about it becomes
suppressions, in a file of the user's cache directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from pytest_valgrind.findings import Finding, plural
from pytest_valgrind.host import options_from_elsewhere
from pytest_valgrind.lines import read_lines
from pytest_valgrind.log import read_to_end
from pytest_valgrind.objects import ObjectFiles, interpreter_paths
from pytest_valgrind.parser import Parser
from pytest_valgrind.repairs import preloaded
from pytest_valgrind.suppressions import Suppression, count

_SELF_TEST = Path(__file__).with_name("selftest.py")
_USUAL_SECONDS = 10
_MOST_SECONDS = 300
# These change from run to run, or what they change is none of the interpreter's errors.
_PASSED_OVER = (
    *("--log-file", "--suppressions", "--gen-suppressions", "--leak-check", "--vgdb"),
    *("--trace-children", "--trace-children-skip"),
)
# Whatever was asked for: the self-test goes on after an error.
_OVERRIDES = (
    "--gen-suppressions=all",
    "--leak-check=no",
    "--vgdb=no",
    "--error-exitcode=0",
    "--exit-on-first-error=no",
)


class CalibrationError(Exception):
    """The self-test did not come to its end; the message says why."""


class Calibration:
    """What an interpreter's self-test showed, for one build of it and one valgrind.

    :param valgrind: its path or name.
    :param options: those with which the tests run.
    :param environment: in which the tests run.
    :param cache: directory for what was measured.
    """

    def __init__(
        self,
        valgrind: str,
        options: Sequence[str],
        environment: Mapping[str, str],
        cache: Path | None = None,
    ) -> None:
        self._valgrind = valgrind
        self._options = [*_without(options, _PASSED_OVER), *_OVERRIDES]
        self._environment = environment
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
            f"itself (about {_USUAL_SECONDS} s): "
        )
        start = time.perf_counter()
        try:
            text = self._measured()
        except CalibrationError as error:
            say(f"it failed: {error}\n")
            return None
        seconds = time.perf_counter() - start
        try:
            self._keep(text)
        except OSError as error:
            where = f"not kept, as {self._cache} cannot be written ({error.strerror})"
        else:
            where = f"kept in {self.path}"
        say(f"{plural(count(text), 'context')} in {seconds:.0f} s, {where}\n")
        return text

    def _measured(self) -> str:
        with tempfile.TemporaryDirectory(prefix="pytest-valgrind-") as name:
            directory = Path(name)
            log = directory / "valgrind.log"
            self._run(directory, log)
            lines = self._suppressions(_errors(log, directory / "maps"))
            return "".join(f"{line}\n" for line in lines)

    def _keep(self, text: str) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        # Other runs may be at the same, or read it.
        with tempfile.NamedTemporaryFile(
            "w", dir=self._cache, encoding="utf-8", delete=False
        ) as file:
            file.write(text)
        Path(file.name).replace(self.path)

    def _run(self, directory: Path, log: Path) -> None:
        command = [self._valgrind, *self._options, f"--log-file={log}"]
        # Without site packages, and whatever an unfinished interpreter warns about.
        command += [
            sys.executable,
            "-S",
            "-W",
            "ignore",
            str(_SELF_TEST),
            str(directory / "maps"),
        ]
        environment = {**self._environment, "PYTHONMALLOC": "malloc", **preloaded(directory)}
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
            )
        except OSError as error:
            raise CalibrationError(f"{self._valgrind} does not start: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise CalibrationError(f"it took more than {_MOST_SECONDS} seconds") from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise CalibrationError(f"it ended with exit code {done.returncode}: {last}")

    def _suppressions(self, errors: Iterable[Finding]) -> Iterator[str]:
        yield f"# Errors of {_interpreter()} itself, by pytest-valgrind's self-test."
        found = ((Suppression.of_noise(error), error) for error in errors)
        for suppression, error in {key: value for key, value in found if key}.items():
            yield from suppression.lines(f"{_interpreter()} by itself: {error.message}")

    def _key(self) -> str:
        """Return what tells this interpreter, valgrind and repairs from all others."""
        shared = Path(sysconfig.get_config_var("LIBDIR") or "/", _library())
        files = [
            Path(sys.executable),
            shared,
            *map(Path, interpreter_paths()),
            Path(shutil.which(self._valgrind) or self._valgrind),
            _SELF_TEST,
            *Path(__file__).parent.glob("_repairs*.so"),
        ]
        facts = [sys.version, "".join(platform.libc_ver()), *self._options]
        facts += options_from_elsewhere()
        for file in files:
            with contextlib.suppress(OSError):
                state = file.resolve().stat()
                facts.append(f"{file.resolve()} {state.st_size} {state.st_mtime_ns}")
        return hashlib.sha256("\0".join(facts).encode(errors="replace")).hexdigest()[:16]


def _errors(log: Path, maps: Path) -> Iterator[Finding]:
    if not maps.is_file():
        raise CalibrationError("the self-test did not come to its end")
    objects = ObjectFiles(lambda: maps.read_text().splitlines())
    yield from Parser(objects.at, objects.owner).findings(read_lines(read_to_end(log)))


def _without(options: Iterable[str], names: tuple[str, ...]) -> list[str]:
    return [option for option in options if option.partition("=")[0] not in names]


def _interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def _library() -> str:
    return str(sysconfig.get_config_var("INSTSONAME") or sysconfig.get_config_var("LDLIBRARY"))


def _cache() -> Path:
    # Imported by whoever measures or looks up, not by every process that only has the plugin.
    from platformdirs import user_cache_path

    return user_cache_path("pytest-valgrind")
