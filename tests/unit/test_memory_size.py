"""Sizes of memory in words."""

from __future__ import annotations

import pytest

from pytest_valgrind.memory_size import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24 MB", 24 * 1024**2),
        ("24MB", 24 * 1024**2),
        ("1.5 kb", 1536),
        (".5 GB", 1024**3 / 2),
        ("+7 B", 7),
        ("2 TB", 2 * 1024**4),
        ("1 PB", 1024**5),
        (" 100 B ", 100),
    ],
)
def test_size_is_read(text: str, size: float) -> None:
    """A prefix is a power of 1024, in capitals or not."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["24 parsecs", "24", "MB", "-1 MB", "24 MiB", "24 MB or so", ""])
def test_what_is_no_size(text: str) -> None:
    """It is refused in the words of pytest-memray."""
    with pytest.raises(ValueError, match=f"Invalid memory size format: {text}"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0B"),
        (1023, "1023.0B"),
        (100 * 1024, "100.0KiB"),
        (120_000, "117.2KiB"),
        (24 * 1024**2, "24.0MiB"),
        (-2048, "-2.0KiB"),
        (3 * 1024**6, "3072.0PiB"),
    ],
)
def test_size_is_written(size: float, text: str) -> None:
    """It has one decimal, and is below 1024."""
    assert format_size(size) == text
