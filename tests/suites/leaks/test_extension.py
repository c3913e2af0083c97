"""Leaks of C, one a test; the marker is that of test_python.py.

Natively nobody sees which C function it is: the line of the test that calls it will do. What an
engine says of it is looked for in evaluation/hunt_naming.py.
"""

from __future__ import annotations

import sys

import leaks
import pytest

named = pytest.mark.named


class Token:
    """An object with an attribute."""

    def __init__(self) -> None:
        self.attribute = [1]


token = Token()
items = [bytearray(10)]
buffer = bytearray(10)
text = "a text that is there all the time"
settings = {"key": 1}
mortal_none = pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal there")


@named("")
def test_malloc() -> None:
    leaks.lose_malloc()


@named("")
def test_mem_block() -> None:
    leaks.lose_mem_block()


@named("")
def test_object_block() -> None:
    leaks.lose_object_block()


@named("")
def test_growing_block() -> None:
    leaks.grow_block()


@named("")
def test_list_of_nodes() -> None:
    leaks.grow_list_of_nodes()


@named("")
def test_block_upon_error() -> None:
    with pytest.raises(ValueError):
        leaks.lose_block_upon_error()


@named("")
def test_expression() -> None:
    leaks.lose_expression()


@named("")
def test_map() -> None:
    leaks.lose_map()


@named("")
def test_map_of_file() -> None:
    leaks.lose_map_of_file()


@named("open: /dev/null")
def test_descriptor() -> None:
    leaks.lose_descriptor()


@named("open: /dev/null")
def test_stream() -> None:
    leaks.lose_stream()


@named("")
def test_thread() -> None:
    leaks.lose_thread()


@mortal_none
@named("references to None")
def test_reference_to_none() -> None:
    leaks.lose_reference(None)


@mortal_none
@named("references to True")
def test_reference_to_true() -> None:
    leaks.lose_reference(True)


@mortal_none
@named("references to int 7")
def test_reference_to_small_integer() -> None:
    leaks.lose_reference(7)


@named("references to str test_extension.text")
def test_reference_to_text() -> None:
    leaks.lose_reference(text)


@named("references to dict test_extension.settings")
def test_reference_to_dict() -> None:
    leaks.lose_reference(settings)


@named("references to test_extension.Token test_extension.token")
def test_reference_to_instance() -> None:
    leaks.lose_reference(token)


@named("references to type test_extension.Token")
def test_reference_to_class() -> None:
    leaks.lose_reference(Token)


@named("references to bytearray")
def test_borrowed_reference() -> None:
    leaks.own_what_is_borrowed(items)


@named("references to list test_extension.Token.attribute")
def test_attribute() -> None:
    leaks.lose_attribute(token)


@named("references to module colorsys")
def test_reference_to_module() -> None:
    leaks.lose_module()


@named("list: 1 more a run")
def test_array_of_objects() -> None:
    leaks.keep_in_array([])


@named("references to bytearray test_extension.buffer")
def test_buffer_that_is_not_released() -> None:
    leaks.keep_buffer(buffer)


@named("list: 1 more a run")
def test_list() -> None:
    leaks.lose_list()


@named("dict: 1 more a run")
def test_dict() -> None:
    leaks.lose_dict()


@named("tuple: 1 more a run")
def test_tuple() -> None:
    leaks.lose_tuple()


@named("")
def test_text() -> None:
    leaks.lose_text()


@named("")
def test_integer() -> None:
    leaks.lose_integer()


@named("list: 1 more a run")
def test_dealloc_that_forgets() -> None:
    leaks.Holder(1000)
