"""Types of values of options that are files: to be written, to be read, or both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_valgrind.option_types import ValueType


class FilePath(ValueType):
    """The path of a file, if there is one."""

    def read(self, text: str, directory: Path) -> Path | None:
        """Return the path."""
        return directory / text if text else None

    def encode(self, setting: Path | None) -> str | None:
        """Return it as text."""
        return str(setting) if setting else None

    def decode(self, encoded: str | None) -> Path | None:
        """Return it again."""
        return Path(encoded) if encoded else None


class FileToWrite(FilePath):
    """The path of a file that need not be there."""

    def read(self, text: str, directory: Path) -> Path:
        """Return the path."""
        path = directory / text
        if path.is_dir():
            raise ValueError(f": {path} cannot be written: there is a directory of this name")
        if not path.parent.is_dir():
            raise ValueError(f": {path} cannot be written: there is no directory {path.parent}")
        return path


class LogToWrite(FileToWrite):
    """The path of a log of ours, which need not be there.

    :param alone: its name where none is given.
    :param beginning: of every such log.
    """

    def __init__(self, alone: str, beginning: bytes) -> None:
        self.alone = alone
        self._beginning = beginning

    def read(self, text: str, directory: Path) -> Path:
        """Return the path."""
        path = super().read(text, directory)
        # argparse takes the next word for the value, which may be that of a test.
        if "::" in text or not self._may_be_overwritten(path):
            raise ValueError(
                f": {text} is not such a log, and is not overwritten: write FILE after an equals "
                "sign, or give the option after the names of tests"
            )
        return path

    def _may_be_overwritten(self, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                return self._beginning.startswith(file.read(len(self._beginning)))
        except FileNotFoundError:
            return True
        except OSError as error:
            raise ValueError(f": {path} cannot be read: {error.strerror}") from None


class BaselineFile(FileToWrite):
    """The path of a baseline, and what is in it; it need not be there yet."""

    in_folder_of_ini = True

    def read(self, text: str, directory: Path) -> Any:
        """Return what is known, nothing if there is no file."""
        # Here, as every run of pytest imports this module.
        from pytest_valgrind.findings.baseline import Baseline

        path = super().read(text, directory)
        try:
            return Baseline.read(path)
        except FileNotFoundError:
            return Baseline(path)
        except OSError as error:
            raise ValueError(f": {path} cannot be read: {error.strerror}") from None

    def encode(self, setting: Any) -> Any:
        """Return its path: a worker of pytest-xdist reads it again."""
        return str(setting.path) if setting else None

    def decode(self, encoded: Any) -> Any:
        """Return it again."""
        return self.read(encoded, Path()) if encoded else None


class ExistingFiles(ValueType):
    """Any number of files that are there."""

    ini = "paths"
    repeats = True

    def read(self, text: str, directory: Path) -> Path:
        """Return the path of one."""
        path = directory / text
        if not path.is_file():
            raise ValueError(f": there is no file {path}")
        return path

    def encode(self, setting: Iterable[Path]) -> list[str]:
        """Return them as texts."""
        return [str(path) for path in setting]

    def decode(self, encoded: Iterable[str]) -> tuple[Path, ...]:
        """Return them again."""
        return tuple(map(Path, encoded))


class EarlierReports(ExistingFiles):
    """Any number of report files, of which the one that will be written need not be there yet."""

    def read(self, text: str, directory: Path) -> Path:
        """Return the path of one."""
        return directory / text
