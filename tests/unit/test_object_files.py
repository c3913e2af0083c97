"""Object files, and whose code is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_valgrind.findings.stack import Owner
from pytest_valgrind.memcheck.object_files import ObjectFiles
from pytest_valgrind.package import PACKAGE

MAP = """\
00400000-00500000 r-xp 00000000 fe:00 10 /usr/bin/python3.11
04840000-04841000 rw-p 00000000 00:00 0
04a00000-04b00000 r-xp 00000000 fe:00 11 /lib/x86_64-linux-gnu/libc.so.6
05000000-05001000 r-xp 00000000 fe:00 12 /tmp/my modules/ext.so (deleted)
"""


def made(text: str = MAP) -> ObjectFiles:
    """Return the object files of a map."""
    return ObjectFiles(text.splitlines, ["/opt/python/bin/python3", "/opt/python/lib-dynload/"])


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (0x400000, "/usr/bin/python3.11"),
        (0x4FFFFF, "/usr/bin/python3.11"),
        (0x500000, None),
        (0x4840010, None),
        (0x5000010, "/tmp/my modules/ext.so (deleted)"),
        (0, None),
    ],
)
def test_object_at_an_address(address: int, path: str | None) -> None:
    """The end of a range does not belong to it."""
    assert made().at(address) == path


def test_map_is_read_again_for_an_unknown_address() -> None:
    """The object may have been loaded since."""
    lines: list[str] = []
    files = ObjectFiles(lambda: lines, ["/x"])
    assert files.at(0x400000) is None
    lines.extend(MAP.splitlines())
    assert files.at(0x400000) == "/usr/bin/python3.11"


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/opt/python/bin/python3", Owner.INTERPRETER),
        ("/opt/python/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", Owner.INTERPRETER),
        ("/usr/bin/python3.11-dbg", Owner.INTERPRETER),
        ("/usr/lib/libpython3.13.so.1.0", Owner.INTERPRETER),
        ("/lib/x86_64-linux-gnu/libc.so.6", Owner.LIBC),
        ("/lib/x86_64-linux-gnu/libm-2.31.so", Owner.LIBC),
        ("/lib64/ld-linux-x86-64.so.2", Owner.LIBC),
        ("/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so", Owner.VALGRIND),
        ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", Owner.LIBRARY),
        ("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", Owner.LIBRARY),
        ("/usr/lib/python3/dist-packages/numpy/core/_multiarray.so", Owner.EXTENSION),
        ("/home/me/build/ext.so", Owner.EXTENSION),
        ("/home/me/python3-ext/ext.so", Owner.EXTENSION),
        ("/home/me/libcustom.so", Owner.EXTENSION),
        (None, Owner.UNKNOWN),
    ],
)
def test_owner(path: str | None, owner: Owner) -> None:
    """It is the interpreter, a library or an extension."""
    assert made().owner(path, "f") is owner


def test_own_frames_are_told_from_the_deliberate_defects() -> None:
    """Both are in the compiled module."""
    path = str(PACKAGE / "_client.abi3.so")
    assert made().owner(path, "pvg_inside_test") is Owner.CHECKER
    assert made().owner(path, "create_leak") is Owner.EXTENSION


def test_modules_of_the_standard_library_are_the_interpreters() -> None:
    """They are in a virtual environment as well."""
    import _ctypes

    files = ObjectFiles()
    assert files.owner(str(Path(_ctypes.__file__).resolve()), "f") is Owner.INTERPRETER
