"""Clean tests of which memcheck says otherwise."""

from __future__ import annotations

import contextlib
import ctypes

import defective


def test_strings_of_wide_characters() -> None:
    """The vectors of glibc's wmemcmp read beyond the end of a block."""
    strings = ["\N{GRINNING FACE}" * length + letter for length in range(1, 9) for letter in "ba"]
    assert sorted(strings)[0] == "\N{GRINNING FACE}" + "a"


def test_zeros_in_an_extension() -> None:
    """CPython 3.11 makes zeros of uninitialised digits."""
    zeros = [int.from_bytes(bytes(2), "little"), int("0" * 3), 12 & 3, int("0b0", 0)]
    assert [defective.decide(zero) for zero in zeros] == [False] * 4


def test_library_with_origin_in_its_path() -> None:
    """The loader's strncmp reads eight bytes at a time."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("$ORIGIN")
