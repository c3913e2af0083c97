"""The project's own files: which file of the repository a stack frame means, and its lines."""

from __future__ import annotations

import linecache
import os
from pathlib import Path, PurePath

#: Lines of source on either side of that of a frame.
_AROUND = 3


class SourceTree:
    """Finds source files, and the lines around those in stacks.

    A compiler writes down the path that it was given, which is often that of a build directory
    that has been removed: the file is looked for by the ends of its path.

    :param rootdir: of pytest, an absolute path.
    """

    def __init__(self, rootdir: Path) -> None:
        self._rootdir = rootdir
        #: The top of the repository; code hosts know files by their paths from there.
        self.top = next(
            (folder for folder in (rootdir, *rootdir.parents) if (folder / ".git").exists()),
            rootdir,
        )
        self._found: dict[str, Path | None] = {}
        #: Lines that a report needs, by file and number.
        self.lines: dict[str, dict[str, str]] = {}

    def find(self, path: str) -> Path | None:
        """Return where a file is, None if it is not on this machine."""
        if path not in self._found:
            self._found[path] = self._look_for(path)
        return self._found[path]

    def relative(self, path: str) -> str | None:
        """Return the path of a file from the top of the repository, None if it is not in it."""
        found = self.find(path)
        if found is None or not found.is_relative_to(self.top):
            return None
        inner = found.relative_to(self.top)
        # Virtual environments and builds lie in the repository, and are not of it.
        if any(part == "site-packages" or part.startswith(".") for part in inner.parts):
            return None
        return inner.as_posix()

    def keep_lines(self, path: str, line: int) -> str:
        """Keep the lines around one for the report; return the name that they go by."""
        found = self.find(path)
        if found is None or line < 1:
            return path
        name = str(found)
        kept = self.lines.setdefault(name, {})
        for number in range(max(1, line - _AROUND), line + _AROUND + 1):
            if text := linecache.getline(name, number):
                kept.setdefault(str(number), text.rstrip("\n"))
        return name

    def _look_for(self, path: str) -> Path | None:
        given = PurePath(path)
        for folder in (self._rootdir, self.top):
            # Not as links lead: the paths from the top are those of the repository.
            if (here := Path(os.path.normpath(folder / given))).is_file():
                return here
        parts = [part for part in given.parts if part not in ("/", "..", ".")]
        for start in range(len(parts)):
            for folder in (self._rootdir, self.top):
                if (here := folder.joinpath(*parts[start:])).is_file():
                    return here
        return None
