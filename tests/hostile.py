"""Objects that raise if code of their own runs: nothing may ask them for anything."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator
from typing import NoReturn


class Hostile:
    """Raises whatever is done with it."""

    def __repr__(self) -> NoReturn:
        raise AssertionError

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(name)

    def __call__(self) -> NoReturn:
        raise AssertionError

    def __len__(self) -> NoReturn:
        raise AssertionError

    def __iter__(self) -> Iterator[object]:
        raise AssertionError

    def __hash__(self) -> int:
        return 1


class HostileMeta(type):
    """Has names of its own for its classes."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise AssertionError

    def __repr__(cls) -> NoReturn:
        raise AssertionError


class OfHostileMeta(metaclass=HostileMeta):
    pass


class HostileList(list[int]):
    """Looks like a list, and does not let anybody look into it."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError

    def __len__(self) -> NoReturn:
        raise AssertionError


class HostileDict(dict[str, int]):
    def items(self) -> NoReturn:
        raise AssertionError


class HostileInt(int):
    def __repr__(self) -> NoReturn:
        raise AssertionError


class HostileStr(str):
    __slots__ = ()

    def __getitem__(self, _key: object) -> NoReturn:
        raise AssertionError

    def __repr__(self) -> NoReturn:
        raise AssertionError


class HostileError(Exception):
    @property
    def args(self) -> NoReturn:  # type: ignore[override]
        raise AssertionError

    def __str__(self) -> NoReturn:
        raise AssertionError


class HostileEnum(enum.Enum):
    RED = 1

    def __repr__(self) -> NoReturn:
        raise AssertionError

    @property
    def name(self) -> NoReturn:
        raise AssertionError


class HostileZone(datetime.tzinfo):
    tzname = dst = None  # type: ignore[assignment]

    def utcoffset(self, _moment: object) -> NoReturn:
        raise AssertionError

    def __repr__(self) -> NoReturn:
        raise AssertionError
