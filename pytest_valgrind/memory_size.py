"""Sizes of memory in words, as pytest-memray reads and writes them: ``24 MB``, ``24.0MiB``."""

from __future__ import annotations

import re

_SIZE = re.compile(r"\+?(\d*\.\d+|\d+)\s*([KMGTP]?)B", re.IGNORECASE)
_PREFIXES = "KMGTP"
_STEP = 1024


def parse_size(text: str) -> float:
    """Return a size in bytes; ``KB`` is 1024 of them, as pytest-memray has it (utils.py).

    :raises ValueError: if it is none, in pytest-memray's words.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"Invalid memory size format: {text}")
    number, prefix = match.groups()
    power = _PREFIXES.index(prefix.upper()) + 1 if prefix else 0
    return float(number) * float(_STEP**power)


def format_size(size: float) -> str:
    """Return a size in bytes as text with one decimal."""
    for prefix in ("", *(f"{letter}i" for letter in _PREFIXES)):
        if abs(size) < _STEP or prefix == "Pi":
            break
        size /= _STEP
    return f"{size:.1f}{prefix}B"
