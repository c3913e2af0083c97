"""What a hunt says of what leaks: numbers, containers that have grown, what keeps an object."""

from __future__ import annotations

import array
import collections
import functools
import gc
import io
import itertools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from pytest_valgrind.hunt.census import Census, Changes, references_to_constants
from pytest_valgrind.hunt.holders import in_words, place_of
from pytest_valgrind.hunt.leaks import Leaks
from pytest_valgrind.hunt.new_descriptors import in_words as descriptors_in_words
from pytest_valgrind.hunt.rates import in_digits, per_run, things_per_run
from pytest_valgrind.hunt.sizes import size_of
from pytest_valgrind.hunt.untracked import Untracked

before_import = set(map(id, gc.get_objects()))
RUNS = 16
kept: list[object] = []
nested: dict[str, list[object]] = {"key": kept}
text = "a text that nothing else has"
numbers = itertools.count(1000)


class Owner:
    """Has attributes."""

    shared: list[object] = []  # noqa: RUF012 (as people write it)

    def __init__(self) -> None:
        self.items: list[object] = []


class Slotted:
    """Has no dictionary."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[object] = []


owner, slotted = Owner(), Slotted()
groups: collections.defaultdict[str, list[object]] = collections.defaultdict(list)
groups["key"].append("first")
cached = functools.lru_cache(None)(lambda number: [number])


def with_default(items: list[object] = []) -> list[object]:  # noqa: B006
    """Return what stays the same."""
    return items


def make_keeper() -> Callable[[object], None]:
    """Return a function with a variable of its own."""
    mine: list[object] = []

    def keep(thing: object) -> None:
        mine.append(thing)

    return keep


keep = make_keeper()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (1, "1"),
        (-2.0, "-2"),
        (0.1, "0.1"),
        (9.156, "9.16"),
        (0.012345, "0.0123"),
        (0.00001, "0.00001"),
        (999.9, "1,000"),
        (1009.97, "1,010"),
        (65536, "65,500"),
        (1048576.25, "1,050,000"),
    ],
)
def test_number_has_three_digits_and_no_exponent(number: float, words: str) -> None:
    assert in_digits(number) == words


@pytest.mark.parametrize(
    ("count", "words"), [(16, "1"), (17, "1"), (16160, "1,010"), (14, "0.875"), (1, "0.0625")]
)
def test_things_made_once_are_not_counted_in(count: int, words: str) -> None:
    assert per_run(count, RUNS) == words


@pytest.mark.parametrize(
    ("count", "words"), [(16, "1 block"), (32, "2 blocks"), (16000, "1,000 blocks")]
)
def test_noun_is_singular_for_one(count: int, words: str) -> None:
    assert things_per_run(count, RUNS, "block") == words


def test_fraction_is_plural() -> None:
    assert things_per_run(4, RUNS, "entry", "entries") == "0.25 entries"


def test_failure_has_readable_rates() -> None:
    """Its first line."""
    leaks = Leaks({"memory blocks": [512, 1025, 2050], "heap bytes": [4640, 9376, 1034240]})
    leaks.runs, leaks.total = (256, 512, 1024), 2047
    assert leaks.lines == [
        "memory blocks: +2 a run, heap bytes: +1,010 a run (in the last 1,024 of 2,047 runs)"
    ]


@pytest.mark.parametrize(
    "thing",
    [
        [1, 2, 3],
        {1: 1, 2: 2, 3: 3},
        {1, 2, 3},
        collections.deque([1, 2, 3]),
        collections.Counter("abc"),
        collections.OrderedDict.fromkeys("abc"),
        array.array("q", [1, 2, 3]),
        bytearray(3),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_size_of_what_grows(thing: object) -> None:
    assert size_of(thing) == 3


def test_size_of_a_stream_is_what_was_written() -> None:
    stream = io.BytesIO()
    stream.write(b"abc")
    assert size_of(stream) == 3


def test_closed_stream_has_no_size() -> None:
    stream = io.StringIO()
    stream.close()
    assert size_of(stream) is None


@pytest.mark.parametrize(
    "thing", ["text", 7, (1, 2), object()], ids=lambda thing: type(thing).__name__
)
def test_what_cannot_grow_has_no_size(thing: object) -> None:
    assert size_of(thing) is None


def test_length_of_a_subclass_is_not_asked_for() -> None:
    """It may be code of any kind."""

    class Odd(list[int]):
        def __len__(self) -> int:
            raise AssertionError

    assert size_of(Odd()) == 0


own = [thing for thing in gc.get_objects() if id(thing) not in before_import]
own.append(globals())


def changes_by(work: Callable[[], object]) -> tuple[Census, Changes]:
    """Return what changes if something is done some times."""
    # The process has too many objects to look at in each test.
    others = set(map(id, gc.get_objects())).difference(map(id, own))
    census = Census(own, references_to_constants())
    for _ in range(RUNS):
        work()
    now = [thing for thing in gc.get_objects() if id(thing) not in others]
    return census, census.changes(now, references_to_constants(), RUNS)


def grown_by(work: Callable[[], object]) -> list[str]:
    """Return what is said of objects after that."""
    census, changes = changes_by(work)
    telling, unplaced = changes.in_words(census, RUNS)
    return telling + unplaced


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: kept.append(1), f"list {__name__}.kept grows by 1 a run"),
        (lambda: owner.items.append(1), f"list {__name__}.Owner.items grows by 1 a run"),
        (lambda: slotted.items.append(1), f"list {__name__}.Slotted.items grows by 1 a run"),
        (lambda: Owner.shared.append(1), f"list {__name__}.Owner.shared grows by 1 a run"),
        (lambda: groups["key"].append(1), f"in collections.defaultdict {__name__}.groups grows"),
        (lambda: with_default().append(1), f"in the defaults of {__name__}.with_default grows"),
        (lambda: keep(1), f"in the closure of {__name__}.make_keeper.<locals>.keep grows"),
        (lambda: cached(next(numbers)), f"functools._lru_cache_wrapper {__name__}.cached grows"),
    ],
    ids=["variable", "attribute", "slot", "class", "dict", "default", "closure", "cache"],
)
def test_container_that_grows_is_named(work: Callable[[], object], words: str) -> None:
    assert any(words in line for line in grown_by(work))


def test_object_is_named_by_what_keeps_it() -> None:
    found = grown_by(lambda: kept.append(Owner()))
    assert f"{__name__}.Owner: 1 more a run, held by list {__name__}.kept" in found


def test_class_is_named_by_what_keeps_it() -> None:
    """And not by its own name."""
    found = grown_by(lambda: kept.append(type("Made", (), {})))
    assert f"type: 1 more a run, held by list {__name__}.kept" in found


@pytest.mark.parametrize(
    ("thing", "words"),
    [(text, f"str {__name__}.text"), (owner, f"{__name__}.Owner {__name__}.owner")],
    ids=["string", "instance"],
)
def test_lost_references_are_named(thing: object, words: str) -> None:
    lost: Any = itertools.repeat(thing)
    taken: list[Any] = [None] * RUNS
    places = itertools.count()

    def lose() -> None:
        taken[next(places)] = next(lost)

    census, changes = changes_by(lose)
    assert changes.references(census, RUNS, 1) == [f"references to {words}: 1 more a run"]


def test_references_are_of_no_interest_where_they_do_not_leak() -> None:
    taken: list[Any] = [None] * RUNS
    places = itertools.count()
    census, changes = changes_by(lambda: taken.__setitem__(next(places), text))
    assert changes.references(census, RUNS, 0) == []


@pytest.mark.parametrize("thing", [None, True, 7, ...], ids=str)
def test_shared_object_is_named_by_itself(thing: object) -> None:
    """Who has it says nothing."""
    place = place_of(thing, lambda _: True)
    assert place is None
    assert in_words(thing, place) in (repr(thing), f"int {thing!r}")


def test_module_is_named_by_itself() -> None:
    assert in_words(sys, place_of(sys, lambda _: True)) == "module sys"


@pytest.mark.parametrize(
    ("opened", "lines"),
    [
        (["/dev/null"] * 16, ["16 open: /dev/null"]),
        (["pipe", "pipe", "socket"], ["2 open: pipe", "1 open: socket"]),
        (["/a/one"], ["1 open: /a/one"]),
        (
            ["/tmp/one (deleted)", "/tmp/two", "/tmp/two", "/tmp/three"],
            ["4 open: files in /tmp, such as one (deleted)"],
        ),
    ],
)
def test_descriptors_in_words(opened: list[str], lines: list[str]) -> None:
    assert list(descriptors_in_words(opened)) == lines


def test_references_to_what_a_module_holds_are_counted() -> None:
    """In variables, and in containers and instances of these."""
    module = ModuleType("made")
    word, item = "a word of a module", bytearray(3)
    vars(module).update(word=word, items=[item])
    untracked = Untracked()
    untracked.watch(module)
    before = untracked.references()
    mine = [word, item]
    assert untracked.references() - before == len(mine)


def test_references_to_no_module_are_not_kept() -> None:
    module, word = ModuleType("made"), bytearray(3)
    module.word = word  # type: ignore[attr-defined]
    untracked = Untracked()
    before = sys.getrefcount(word)
    untracked.watch(module)
    assert sys.getrefcount(word) == before + 1
    untracked.watch(None)
    assert sys.getrefcount(word) == before
