"""What the start of a session cost, and which plugins can be left out to have it start sooner."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from time import process_time  # by name, as tests replace the functions of the module

import pytest

from pytest_valgrind import client

#: Seconds of processor time; a start that takes less is not worth a word.
_LONG = 10.0
#: A plugin with a smaller part of the imports is not worth one either.
_SMALL = 0.05
# Seconds that the imports may take natively.
_PATIENCE = 30.0
#: What plugins import later than at the start, by the names of their entry points.
_LATER = {"hypothesispytest": "hypothesis"}
_IMPORT = r"import time: +\d+ \| +(\d+) \| ( *)(\S+)"


class StartUp:
    """Measures the start of a process under valgrind."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def is_over(self) -> None:
        """Take what the process has done so far for its start."""
        self._seconds = process_time()

    def hint(self, pluginmanager: pytest.PytestPluginManager) -> str | None:
        """Return what to leave out, None if it is not worth while.

        The imports are measured natively, in a process of their own.
        """
        if self._seconds < _LONG:
            return None
        plugins = dict(_plugins(pluginmanager))
        shares = _shares(plugins, _imports(["pytest", *plugins.values()]))
        costly = sorted((share, name) for name, share in shares.items() if share >= _SMALL)
        if not costly:
            return None
        named = ", ".join(f"{name} ({share:.0%})" for share, name in reversed(costly))
        options = " ".join(f"-p no:{name}" for _, name in reversed(costly))
        return (
            f"the start took {self._seconds:.0f} s; plugins with much of what is imported: "
            f"{named}. Where tests do not need them, this leaves them out: {options}"
        )


def _plugins(pluginmanager: pytest.PytestPluginManager) -> Iterator[tuple[str, str]]:
    """Yield the names of other people's plugins that are loaded, each with what it imports."""
    for entry in entry_points(group="pytest11"):
        is_ours = entry.module.partition(".")[0] == "pytest_valgrind"
        if not is_ours and pluginmanager.has_plugin(entry.name):
            yield entry.name, _LATER.get(entry.name, entry.module)


def _imports(modules: list[str]) -> dict[str, int]:
    """Return what the imports of modules take, with all that they import, in microseconds."""
    code = "\n".join(f"try: import {module}\nexcept Exception: pass" for module in modules)
    client.log_forks(False)
    try:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, int] = {}
    for line in done.stderr.splitlines():
        if (match := re.fullmatch(_IMPORT, line)) and not match[2]:
            found[match[3]] = int(match[1])
    return found


def _shares(plugins: Mapping[str, str], imports: Mapping[str, int]) -> dict[str, float]:
    """Return the part of all imports that is a plugin's, by its name."""
    total = sum(imports.values()) or 1
    return {name: _cost(module, imports) / total for name, module in plugins.items()}


def _cost(module: str, imports: Mapping[str, int]) -> int:
    # A package is imported before what is in it.
    parents = [module.rsplit(".", depth)[0] for depth in range(module.count(".") + 1)]
    return sum(imports.get(name, 0) for name in parents)
