"""Defects of every kind, in the call of a test."""

from __future__ import annotations

import gc

import flaws
import pytest
from interleaving import Defect, interleaved


@pytest.mark.parametrize(
    "defect",
    interleaved(
        flaws.read_past_end,
        flaws.write_past_end,
        flaws.read_freed,
        flaws.write_freed,
        flaws.compare_past_end,
        flaws.read_freed_object,
        flaws.write_past_bytes,
        flaws.free_not_allocated,
        flaws.free_inside,
        flaws.free_twice,
        flaws.free_mismatched,
        flaws.decide_uninitialised,
        flaws.index_by_uninitialised,
        flaws.make_int_of_uninitialised,
        flaws.write_out_uninitialised,
        flaws.write_out_freed,
        flaws.mempcpy_overlapping,
        flaws.strcpy_overlapping,
        flaws.malloc_fishy,
        flaws.check_uninitialised,
        flaws.check_freed,
        flaws.use_no_pool,
    ),
)
def test_error(defect: Defect) -> None:
    """An error."""
    defect()


@pytest.mark.parametrize(
    "defect",
    interleaved(
        flaws.lose_block,
        flaws.lose_moved,
        flaws.lose_chain,
        flaws.lose_ring,
        flaws.lose_mem,
        flaws.lose_raw_mem,
        flaws.lose_str,
        flaws.lose_bytes,
        flaws.lose_int,
        flaws.lose_tuple,
        flaws.lose_bytearray,
        flaws.lose_list,
        flaws.lose_thing,
        flaws.lose_buffer,
    ),
)
def test_leak(defect: Defect) -> None:
    """A leak."""
    defect()


def test_tuple_after_collection() -> None:
    """Of a tuple whose block is new, as a collection empties the free lists."""
    gc.collect()
    flaws.lose_tuple_after_collection()


def test_clean_after_tuple() -> None:
    """Nothing."""
    flaws.nothing()


def test_reference_too_many() -> None:
    """To an object that the interpreter has made."""
    flaws.keep_reference("".join(["a string", "of its own"]))


def test_clean_after_reference_too_many() -> None:
    """Nothing."""
    flaws.nothing()


@pytest.mark.parametrize(
    "defect",
    interleaved(
        flaws.lose_start,
        flaws.memcpy_overlapping,
        flaws.read_past_array,
        flaws.free_other_domain,
    ),
)
def test_limit(defect: Defect) -> None:
    """What memcheck cannot see, or not everywhere."""
    defect()


def test_float_of_uninitialised() -> None:
    """Only the interpreter decides upon it."""
    assert (flaws.make_float_of_uninitialised() > 1.0) in (True, False)


def test_clean_after_float_of_uninitialised() -> None:
    """Nothing."""
    flaws.nothing()
